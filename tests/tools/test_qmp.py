"""The QMP client, against a socket on which the tests say what QEMU would."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator

import pytest

from emulator.qmp import Qmp, QmpError, Refused

GREETING = b'{"QMP": {"version": {}}}\n'
STOP = {"event": "STOP"}


@pytest.fixture
def ends() -> Iterator[tuple[Qmp, socket.socket]]:
    """The client, and QEMU's end of its socket."""
    ours, theirs = socket.socketpair()
    client = Qmp(ours, timeout=0.2)
    with theirs:
        yield client, theirs
    client.close()


def test_an_answer_is_found_among_the_rest(ends: tuple[Qmp, socket.socket]) -> None:
    client, qemu = ends
    qemu.sendall(GREETING + json.dumps(STOP).encode() + b'\n{"return": {"running": true}}\n')
    assert client.execute("query-status", detail=1) == {"running": True}
    assert client.events == [STOP]
    sent = json.loads(qemu.recv(4096))
    assert sent == {"execute": "query-status", "arguments": {"detail": 1}}


def test_answers_come_in_any_pieces(ends: tuple[Qmp, socket.socket]) -> None:
    client, qemu = ends
    qemu.sendall(b'{"ret')
    assert client.receive()
    qemu.sendall(b'urn": 1}\n{"return": 2}\n{"ev')
    assert [client.execute("one"), client.execute("two")] == [1, 2]
    qemu.sendall(b'ent": "STOP"}\n')
    assert client.receive() and client.events == [STOP]


def test_what_qemu_refuses_is_told(ends: tuple[Qmp, socket.socket]) -> None:
    client, qemu = ends
    qemu.sendall(b'{"error": {"class": "GenericError", "desc": "no such thing"}}\n')
    with pytest.raises(Refused, match="^QEMU refuses eject: no such thing$"):
        client.execute("eject")


def test_silence_and_nonsense_are_told(ends: tuple[Qmp, socket.socket]) -> None:
    client, qemu = ends
    with pytest.raises(QmpError, match="^QEMU does not answer stop: "):
        client.execute("stop")
    for nonsense in (b"220 smtp ready\n", b"5\n", b"\xff\n"):
        qemu.sendall(nonsense)
        with pytest.raises(QmpError, match="^this is not QMP: "):
            client.execute("stop")


def test_the_end_of_qemu_is_told(ends: tuple[Qmp, socket.socket]) -> None:
    client, qemu = ends
    qemu.sendall(json.dumps(STOP).encode() + b"\n")
    client.ask("quit")
    qemu.close()  # with the command unread: the socket is reset
    with pytest.raises(QmpError):
        client.execute("stop")
    while client.receive():
        pass
    assert client.events == [STOP]
