"""What all tests share: the built kernel, and machines at the monitor's prompt.

Booting costs seconds under UEFI, so each firmware boots once in a test run; the machine's state
at the prompt is saved, and every test goes on from there in a QEMU process of its own.
"""

from __future__ import annotations

import fcntl
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))  # emulator/, which scripts/run uses as well
sys.path.insert(0, str(ROOT / "tests" / "support"))

import gdbstub  # noqa: E402
from calling import Caller  # noqa: E402
from gdbstub import GdbStub  # noqa: E402
from emulator import behind_grub  # noqa: E402
from emulator.qemu import NO_SCREEN, XAPIC  # noqa: E402
from guest import PROMPT  # noqa: E402
from qemu import Qemu  # noqa: E402
from elf.symbols import Symbol, load  # noqa: E402
from truth import Truth  # noqa: E402

pytest_plugins = ["explorer_page"]

BUILD = Path(os.environ.get("BUILD", ROOT / "build"))


@pytest.hookimpl(tryfirst=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """Begin the table of truth anew; a worker of pytest-xdist adds to that of its session."""
    if not hasattr(session.config, "workerinput"):
        Truth(BUILD).clear()


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print who does what the architecture says."""
    if summary := Truth(BUILD).write():
        terminalreporter.section("the architecture, and who does what it says")
        terminalreporter.write("\n".join(summary) + "\n")


@pytest.fixture(scope="session")
def truth() -> Truth:
    """Where tests of the catalogue leave their results."""
    return Truth(BUILD)


@pytest.fixture(scope="session")
def iso() -> str:
    """The image that `make` has built."""
    return str(BUILD / "barestub.iso")


@pytest.fixture(scope="session")
def elf() -> str:
    """The kernel that `make` has built."""
    return str(BUILD / "barestub.elf")


@pytest.fixture(scope="session")
def symbols(elf: str) -> dict[str, Symbol]:
    """The kernel's ELF symbols by name."""
    return load(elf)


# Each CPU in a thread of its own, so that they really run at once.
FOUR_CPUS = ("-smp", "4", "-accel", "tcg,thread=multi")

WAYS_TO_BOOT = {
    "bios": {},
    "uefi": {"uefi": True},
    "no screen": {"options": NO_SCREEN},
    "xAPIC": {"options": (*NO_SCREEN, *XAPIC)},
    "four CPUs": {"options": (*NO_SCREEN, *FOUR_CPUS)},
}

# Those whose boot begins there: one CPU, and no screen.
BEHIND_GRUB = ("no screen", "xAPIC")


Once = Callable[[str, Callable[[Path], None]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """once(name, make) is the path of what make(path) writes, once for all workers."""
    # The workers of pytest-xdist have a directory each, side by side.
    base = tmp_path_factory.getbasetemp()
    shared = base.parent if "PYTEST_XDIST_WORKER" in os.environ else base

    def get(name: str, make: Callable[[Path], None]) -> Path:
        path, partial = shared / name, shared / f"{name}.partial"
        with open(shared / f"{name}.lock", "w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not path.exists():
                make(partial)
                partial.rename(path)
        return path

    return get


@pytest.fixture(scope="session")
def state(iso: str, once: Once) -> Callable[[str], str]:
    """state(way) is the path of the saved machine at the prompt."""

    def make(way: str) -> str:
        def save(path: Path) -> None:
            begin = str(behind_grub.state()) if way in BEHIND_GRUB else None
            with Qemu(iso, state=begin, **WAYS_TO_BOOT[way]) as machine:
                machine.wait_for(PROMPT)
                machine.save_state(str(path))

        return str(once(f"state-{way}", save))

    return make


@pytest.fixture(params=["bios", "uefi"])
def firmware(request: pytest.FixtureRequest) -> str:
    """Runs the test under both."""
    return request.param


@pytest.fixture(scope="session")
def grub() -> str:
    """The saved machine that goes on with any ISO's GRUB, without a screen: emulator/behind_grub.py."""
    return str(behind_grub.state())


Start = Callable[..., "contextmanager[Qemu]"]


@pytest.fixture(scope="session")
def at_prompt(iso: str, state: Callable[[str], str]) -> Start:
    """at_prompt(way="no screen") is a machine of the test's own at the prompt."""

    @contextmanager
    def start(way: str = "no screen") -> Iterator[Qemu]:
        with Qemu(iso, state=state(way), **WAYS_TO_BOOT[way]) as machine:
            yield machine

    return start


@pytest.fixture
def machine(at_prompt: Start) -> Iterator[Qemu]:
    """A machine at the prompt, booted by the BIOS, without a screen."""
    with at_prompt() as running:
        yield running


@contextmanager
def stopped_at_prompt(
    iso: str, state: Callable[[str], str], way: str, directory: Path
) -> Iterator[tuple[Qemu, GdbStub]]:
    """A machine at the prompt, stopped by its GDB stub."""
    socket = str(directory / "gdb")
    options = (*gdbstub.options(socket), *WAYS_TO_BOOT[way].get("options", ()))
    with Qemu(iso, state=state(way), options=options) as machine, GdbStub(socket) as stub:
        yield machine, stub


@pytest.fixture
def stopped(
    iso: str, state: Callable[[str], str], tmp_path: Path
) -> Iterator[tuple[Qemu, GdbStub]]:
    """A machine at the prompt, stopped by its GDB stub, without a screen."""
    with stopped_at_prompt(iso, state, "no screen", tmp_path) as found:
        yield found


@pytest.fixture
def call(stopped: tuple[Qemu, GdbStub], symbols: dict[str, Symbol]) -> Caller:
    """call(function, ...) calls the kernel's functions on the machine of `stopped`."""
    return Caller(stopped[1], symbols)


@pytest.fixture
def call_xapic(
    iso: str, state: Callable[[str], str], symbols: dict[str, Symbol], tmp_path: Path
) -> Iterator[Caller]:
    """The same on a CPU that has no x2APIC mode, as those of QEMU have from 9.0 on."""
    with stopped_at_prompt(iso, state, "xAPIC", tmp_path) as (_, stub):
        yield Caller(stub, symbols)


@pytest.fixture
def stopped_with_screen(
    iso: str, state: Callable[[str], str], tmp_path: Path
) -> Iterator[tuple[Qemu, GdbStub]]:
    """The same with a screen."""
    with stopped_at_prompt(iso, state, "bios", tmp_path) as found:
        yield found
