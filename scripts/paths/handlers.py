"""The interrupt paths that are compared: ours, the least there can be, the compilers' own, sketches
of other kernels'.

Builds what the installed compilers can build; says what could not be had and why.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from elf.symbols import load

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "tests" / "silicon"

# The flags of a kernel that keeps to the general registers; "as it comes" is the plain compiler.
KERNEL_C = (
    "-c -O2 -g -std=c17 -ffreestanding -fno-pic -mcmodel=kernel -mgeneral-regs-only -mno-red-zone"
    " -fno-stack-protector -fcf-protection=branch"
).split()
PLAIN_C = "-c -O2 -g -std=c17 -fno-pic -Wno-interrupt-service-routine".split()
PLAIN_RUST = (
    "-O --edition=2021 --emit=obj -C relocation-model=static -Z function-sections=no"
).split()
KERNEL_RUST = [*PLAIN_RUST, "--target=x86_64-unknown-none"]

KIND_TITLES = {"none": "without an error code", "code": "with an error code"}
KINDS = tuple(KIND_TITLES)


@dataclass
class InterruptPath:
    """One interrupt path. Its symbols are key_none and key_code, and key_common if they share."""

    key: str
    name: str
    family: str  # "ours", "bare", "compiler" or "sketch"
    object: Path | None = None


@dataclass
class Handlers:
    """What could be built, and remarks on what could not."""

    paths: list[InterruptPath] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def run(command: list[str], **options: object) -> subprocess.CompletedProcess[str]:
    """Run a tool and keep what it says."""
    return subprocess.run(command, capture_output=True, text=True, **options)


def must(command: list[str]) -> str:
    """Run a tool that must succeed; return its output."""
    done = run(command)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)}\n{done.stdout}{done.stderr}")
    return done.stdout


def version(compiler: str) -> str:
    """The version number of @compiler, such as "12.2.0"."""
    return re.search(r"\d+\.\d+(\.\d+)?", re.sub(r"\(.*?\)", "", must([compiler, "--version"])))[0]


def rename(path: Path, key: str, names: dict[str, str]) -> None:
    """Give the symbols of an object the names that the bench looks for."""
    options = [f"--redefine-sym={old}={key}_{new}" for old, new in names.items()]
    must(["objcopy", *options, str(path)])


def complaint(messages: str) -> str:
    """The first line of a compiler's @messages that says what is wrong."""
    for line in messages.splitlines():
        if match := re.search(r"\b(error|sorry, unimplemented)\b.*", line):
            return match[0]
    return "it failed"


def compile_handlers(build: Path, handlers: Handlers) -> None:
    """Build the interrupt functions of every compiler that is installed."""
    compilers = [
        ("gcc", "GCC", "gcc", "handlers.c", KERNEL_C, PLAIN_C),
        ("clang", "Clang", "clang", "handlers.c", KERNEL_C, PLAIN_C),
        ("rust", "rustc", "rustc", "handlers.rs", KERNEL_RUST, PLAIN_RUST),
    ]
    for key, name, tool, source, kernel, plain in compilers:
        if shutil.which(tool) is None:
            handlers.notes.append(f"{name} is left out: it is not installed.")
            continue
        named = f"{name} {version(tool)}"
        for suffix, flags, flavour in (("", kernel, ""), ("_plain", plain, ", as it comes")):
            path = build / f"{key}{suffix}.o"
            command = [tool, *flags, str(SOURCES / source), "-o", str(path)]
            # x86-interrupt is not stable Rust; this lets a stable rustc compile it.
            done = run(command, env={**os.environ, "RUSTC_BOOTSTRAP": "1"})
            if done.returncode != 0:
                flavour = flavour or ", for a kernel"
                handlers.notes.append(f"{named}{flavour} is left out: {complaint(done.stderr)}")
                continue
            rename(path, key + suffix, {kind: kind for kind in KINDS})
            handlers.paths.append(InterruptPath(key + suffix, named + flavour, "compiler", path))


def build_ours(build: Path, stubs: list[str], handlers: Handlers) -> None:
    """Take the kernel's own objects under the names of the others."""
    path = build / "barestub.o"
    must(["ld", "-r", "-z", "noexecstack", "-o", str(path), *stubs])
    names = {"isr_32": "none", "isr_14_PF": "code", "trap_entry": "common"}
    rename(path, "barestub", {**names, "trap_entry_code": "entry_code"})
    handlers.paths.append(InterruptPath("barestub", "Barestub", "ours", path))


def build_sketches(build: Path, handlers: Handlers) -> None:
    """Assemble the bare minimum and the sketches, which share one object."""
    path = build / "sketches.o"
    must(["nasm", "-f", "elf64", "-o", str(path), str(SOURCES / "sketches.asm")])
    handlers.paths.insert(1, InterruptPath("bare", "the bare minimum", "bare", path))
    names = {"linux": "Linux", "zircon": "Zircon", "kvm_unit_tests": "kvm-unit-tests"}
    for key, name in names.items():
        handlers.paths.append(InterruptPath(key, f"{name} (sketch)", "sketch", path))


def build_all(build: Path, stubs: list[str]) -> Handlers:
    """Build every path; @stubs are the kernel's objects."""
    build.mkdir(parents=True, exist_ok=True)
    handlers = Handlers()
    build_ours(build, stubs, handlers)
    compile_handlers(build, handlers)
    build_sketches(build, handlers)
    return handlers


def symbols(path: InterruptPath) -> dict[str, tuple[int, int]]:
    """Address and size of each function of @path, by what follows the key in its name."""
    found = {}
    for name, symbol in load(path.object).items():
        if symbol.kind == "FUNC" and (match := re.match(rf"{path.key}_(\w+)$", name)):
            found[match[1]] = symbol.address, symbol.size
    return found


def sizes(path: InterruptPath) -> dict[str, int]:
    """The bytes of code of each function of @path."""
    return {name: size for name, (_, size) in symbols(path).items()}


def listing(path: InterruptPath, function: str) -> list[tuple[int, str]]:
    """The address and the disassembly, in Intel's syntax, of what is in a function of @path."""
    start, size = symbols(path)[function]
    span = [f"--start-address={start}", f"--stop-address={start + size}"]
    command = ["objdump", "-D", "-M", "intel", "--no-show-raw-insn", "-j", ".text", *span]
    text = must([*command, str(path.object)])
    found = re.findall(r"^ +([0-9a-f]+):\t(.*?) *$", text, re.MULTILINE)
    return [(int(address, 16), instruction) for address, instruction in found]


def instructions(path: InterruptPath, function: str) -> list[str]:
    """The disassembly of one of the functions of @path, in Intel's syntax."""
    return [instruction for _, instruction in listing(path, function)]


def registers_saved(path: InterruptPath, kind: str) -> str:
    """How many registers @path stores before it calls C, as words."""
    saved = set()
    parts = [part for part in (kind, "common") if part in symbols(path)]
    for instruction in (text for part in parts for text in instructions(path, part)):
        if match := re.match(r"push +(r\w+)$|mov\w* .*\[rsp.*\],(r\w+|.mm\d+)$", instruction):
            saved.add(match[1] or match[2])
    vectors = sum("mm" in register for register in saved)
    return f"{len(saved) - vectors} + {vectors} XMM" if vectors else str(len(saved))
