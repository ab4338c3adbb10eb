"""The parsers that the other tests rely on, fed with small samples."""

from __future__ import annotations

import pytest

import intlog
import ktap
import trapline

INT_LOG = """\
Servicing hardware INT=0x40
     5: v=40 e=0000 i=0 cpl=0 IP=0008:ffffffff80001000 pc=0 SP=0010:ffffffffd0007fc0
check_exception old: 0xffffffff new 0xe
     6: v=0e e=0003 i=0 cpl=3 IP=0023:0000000000400010 pc=0 SP=001b:0000000000804000 CR2=602000
RAX=0000000000602000 RBX=0000000000000000 RCX=0000000000000000 RDX=0000000000000000
check_exception old: 0xe new 0xe
     7: v=08 e=0000 i=0 cpl=3 IP=0023:0000000000400010 pc=0 SP=001b:0000000000804000
     8: v=03 e=0000 i=1 cpl=0 IP=0008:ffffffff80002000 pc=0 SP=0010:ffffffffd0007fb8
     9: v=0b e=0202 i=0 cpl=0 IP=0008:ffffffff80002000 pc=0 SP=0010:ffffffffd0007fb8
"""


def test_intlog() -> None:
    timer, page_fault, double_fault, software, not_present = intlog.parse(INT_LOG)
    assert timer.hardware and timer.vector == 0x40 and timer.delivered
    assert (page_fault.vector, page_fault.error, page_fault.cpl) == (14, 3, 3)
    assert (page_fault.rip, page_fault.cr2) == (0x400010, 0x602000)
    assert (page_fault.ss, page_fault.rsp) == (0x1B, 0x804000)
    assert page_fault.registers["RAX"] == 0x602000
    assert not page_fault.delivered and double_fault.delivered
    assert software.software and not software.delivered
    assert not_present.delivered and not_present.error == 0x202


def test_ktap() -> None:
    text = "KTAP version 1\n1..3\nok 1 de\nnot ok 2 pf # TODO QEMU: why\nok 3 cp # SKIP no CET\n"
    results = ktap.parse(text)
    assert [result.name for result in results] == ["de", "pf", "cp"]
    assert not any(result.failed for result in results)
    assert ktap.parse("1..1\nnot ok 1 de\n")[0].failed


@pytest.mark.parametrize("text", ["ok 1 de\n", "1..2\nok 1 de\n", "1..2\nok 2 a\nok 1 b\n"])
def test_ktap_refuses_what_does_not_match_the_plan(text: str) -> None:
    with pytest.raises(ValueError):
        ktap.parse(text)


def test_trapline() -> None:
    raised = trapline.parse(
        "words for people\nexpect: name=a vector=14 error=0x3 rip=0x10\n"
        "trap: name=a vector=14 error=none rip=0x10 origin=cpu\nresult: name=a fail no code\n"
    )
    assert raised.expected == [{"name": "a", "vector": 14, "error": 3, "rip": 16}]
    assert raised.traps[0]["error"] == "none" and raised.traps[0]["origin"] == "cpu"
    assert raised.result == "fail no code"
