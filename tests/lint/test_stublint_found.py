"""stublint finds stubs by what their code is: in every file format, without symbols, and says what
it only guesses."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from elf.symbols import binutil  # noqa: E402
from lint import cli  # noqa: E402
from lint.load import discovery, files, mangling, names  # noqa: E402
from linting import SOURCES, Report, Workbench  # noqa: E402

SHAPES = {
    "WRITTEN": [0, 14, 128, 129],
    "PUSHED": [0, 1, 2, 3, 4, 5, 14, 200],
    "TABLE": [*range(24)],
    "STRUCTS": [3, 14, 128],
    "NAMES": [0, 1, 2, 3, 6, 8, 13, 14, 16],
    "HEXADECIMAL": [8, 9, 10, 16, 31],
    "BESIDE": [0, 1, 2, 3],
}

# What finds each shape, and what it is replaced by to see that nothing else does.
FINDERS: dict[str, tuple[str, Callable[..., object]]] = {
    "WRITTEN": ("WrittenIdt.gates", lambda self: []),
    "PUSHED": ("stubs_by_pushes", lambda *_: {}),
    "TABLE": ("tables_of_stubs", lambda *_: []),
    "STRUCTS": ("tables_of_stubs", lambda *_: []),
    "NAMES": ("Finder.exceptions", lambda self: {}),
}


class Made:
    """found.asm in all its shapes and formats: each is made once."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self.bench = Workbench(directory)

    def object(self, *shape: str, form: str = "elf64") -> Path:
        """Return the object of a shape."""
        target = self._directory / f"{'-'.join(shape)}.{form}.o"
        if not target.exists():
            source = SOURCES / "found.asm"
            defines = [f"-DBUG_{name}" for name in shape]
            subprocess.run(["nasm", "-f", form, *defines, "-o", target, source], check=True)
        return target

    def stripped(self, shape: str) -> Path:
        """Return a linked kernel of a shape, without a symbol."""
        target = self._directory / f"{shape}.elf"
        command = [binutil("ld"), "-s", "-Ttext", "0xffffffff80100000", "-e", "start"]
        subprocess.run([*command, self.object(shape), "-o", target], check=True)
        return target

    def archive(self, shape: str, flags: str) -> Path:
        """Return an archive with the object of a shape in it, under a long name."""
        member = self._directory / f"a_name_of_more_than_fifteen_{shape}.o"
        member.write_bytes(self.object(shape).read_bytes())
        target = self._directory / f"{shape}{flags}.a"
        subprocess.run([binutil("ar"), flags, target, member], check=True)
        return target

    def lint(self, *arguments: object) -> Report:
        return self.bench.lint(*arguments)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return Made(tmp_path_factory.mktemp("found"))


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_is_found(shape: str, made: Made) -> None:
    report = made.lint(made.object(shape))
    assert report.vectors == SHAPES[shape]
    assert report.rules("ERROR") == ({"vector-sign-extended"} if shape == "PUSHED" else set())


@pytest.mark.parametrize("shape", FINDERS)
def test_nothing_else_finds_it(
    shape: str, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without its finder the shape is not found, and what returns by IRETQ is named anyway."""
    name, nothing = FINDERS[shape]
    owner, _, method = name.rpartition(".")
    monkeypatch.setattr(getattr(discovery, owner) if owner else discovery, method, nothing)
    assert cli.main([str(made.object(shape))]) == cli.CANNOT_RUN
    said = capsys.readouterr().err
    assert "These return by IRETQ: --stub=" in said


@pytest.mark.parametrize("shape", ["WRITTEN", "PUSHED", "TABLE", "STRUCTS"])
def test_without_a_symbol(shape: str, made: Made) -> None:
    assert made.lint(made.stripped(shape)).vectors == SHAPES[shape]


@pytest.mark.parametrize("form", ["win64", "macho64"])
@pytest.mark.parametrize("shape", ["WRITTEN", "PUSHED", "TABLE"])
def test_objects_of_other_systems(shape: str, form: str, made: Made) -> None:
    assert made.lint(made.object(shape, form=form)).vectors == SHAPES[shape]


@pytest.mark.parametrize("flags", ["rc", "rcT"])
def test_an_archive(flags: str, made: Made) -> None:
    assert made.lint(made.archive("PUSHED", flags)).vectors == SHAPES["PUSHED"]


def test_a_pe_image(made: Made, tmp_path: Path) -> None:
    linker, target = binutil("ld"), tmp_path / "kernel.exe"
    if "i386pep" not in subprocess.run([linker, "-V"], capture_output=True, text=True).stdout:
        pytest.skip("ld without PE")
    command = [linker, "-m", "i386pep", "-e", "start", made.object("WRITTEN", form="win64")]
    subprocess.run([*command, "-o", target], check=True)
    assert made.lint(target).vectors == SHAPES["WRITTEN"]


@pytest.mark.parametrize(
    ("compiler", "flags", "words"),
    [
        ("clang", ["-flto"], "is LLVM bitcode (of -flto or -emit-llvm), with no machine code"),
        ("gcc", ["-flto", "-fno-fat-lto-objects"], "compile with -ffat-lto-objects"),
    ],
)
def test_what_holds_no_machine_code_yet(
    compiler: str, flags: list[str], words: str, tmp_path: Path,
    capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    source, target = tmp_path / "empty.c", tmp_path / "empty.o"
    source.write_text("void trap(void) {}\n")
    program = binutil("gcc") if compiler == "gcc" else compiler
    try:
        done = subprocess.run([program, *flags, "-c", source, "-o", target], capture_output=True)
    except FileNotFoundError:
        pytest.skip(f"without {compiler}")
    if done.returncode:
        pytest.skip(f"{compiler} without -flto")
    assert cli.main([str(target)]) == cli.CANNOT_RUN
    assert words in capsys.readouterr().err


def test_the_gates_know_better_than_names(made: Made) -> None:
    """What contradicts them is no stub of that vector; the flag that adds it says the guess."""
    report = made.lint(made.object("WRITTEN", "NAMED_OTHERWISE"))
    assert report.vectors == SHAPES["WRITTEN"]
    assert [f["flag"] for f in report.coverage["unlinted"]] == ["--stub=14=page_fault_handler"]


def test_what_is_not_sure_is_named_with_its_guess(
    made: Made, capsys: pytest.CaptureFixture[str]
) -> None:
    path = str(made.object("UNSURE"))
    assert cli.main([path]) == cli.CANNOT_RUN
    assert "--stub=1=thing1, --stub=2=thing2, --stub=3=thing3" in capsys.readouterr().err
    report = made.lint(path, "--stub", "0x2=thing2")
    assert (report.status, report.vectors) == (cli.PARTIAL, [2])
    flags = [function["flag"] for function in report.coverage["unlinted"]]
    assert flags == ["--stub=1=thing1", "--stub=3=thing3"]


@pytest.mark.parametrize("tool", ["c++filt", "nothing"])
def test_a_stub_by_its_readable_name(
    tool: str, made: Made, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Of Rust's both manglings, with c++filt and without."""
    if tool == "nothing":
        monkeypatch.setattr(mangling, "FILTERS", ())
    rust = str(made.bench.compile("rust.S"))
    for name in ("page_fault_handler", "double_fault_handler"):
        for path in (f"kernel::interrupts::{name}", name):
            assert made.lint(rust, "--stub", f"0x80={path}").vectors == [3, 8, 14, 128]
    misspelt = "14=kernel::interrupts::page_fault_handle"
    assert cli.main([rust, "--stub", misspelt]) == cli.CANNOT_RUN
    assert "is it kernel::interrupts::page_fault_handler" in capsys.readouterr().err
    assert cli.main([rust, "--stub", "256=page_fault_handler"]) == cli.CANNOT_RUN
    assert "a vector of 0 to 255" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("name", "vector"),
    [
        ("isr_page_fault", 14), ("pageFault", 14), ("trap_pf", 14), ("GPFault_Handler", 13),
        ("asm_exc_general_protection", 13), ("NMI", 2), ("interrupt_handler_nmi", 2),
        ("DivideByZeroHandler", 0), ("x86_64_double_fault_entry", 8), ("int_debug", 1),
        ("debug", None), ("of", None), ("ss", None), ("page", None), ("init", None),
        ("handler", None), ("page_fault_count", None),
    ],
)  # fmt: skip
def test_the_exception_in_a_name(name: str, vector: int | None) -> None:
    assert names.vector_of(name) == vector


@pytest.mark.parametrize("content", [b"!<arch>\nshort", b"\x64\x86\x03" + bytes(40),
                                     b"\xcf\xfa\xed\xfe" + bytes(60), b"MZ" + bytes(58) + b"\x40"
                                     + bytes(3) + b"PE\0\0\x64\x86\x05"])  # fmt: skip
def test_a_broken_file_of_another_format(
    content: bytes, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "broken"
    path.write_bytes(content)
    assert cli.main([str(path)]) == cli.CANNOT_RUN
    assert capsys.readouterr().err.count("\n") == 1
    assert files.what_it_is(b"hello").startswith("is not an ELF")
