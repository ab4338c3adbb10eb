"""Drawing the stack of a trap, highest address on top, on a screen of 80 columns and 24 lines."""

from __future__ import annotations

import gdb
from manuals import CONSTANTS, short, title

from ..command import WIDTH
from ..frame import symbols
from ..frame.trap import ENTRY, FIXUP, Slot, Trap, register
from . import words

_NASM = {"QWORD PTR": "qword", "DWORD PTR": "dword", "0xfffffffffffffff0": "-16"}
_BORDER = "                   +------------------+"


def clipped(text: str, width: int) -> str:
    """Return @text, or its end where the whole is too wide: there labels differ."""
    return text if len(text) <= width else ".." + text[2 - width :]


def _meaning(slot: Slot, trap: Trap) -> str:
    """Return what the value of @slot says, in few words."""
    if slot.name in ("cs", "ss"):
        return words.selector(slot.value)
    if slot.name == "rflags":
        return words.flags(slot.value)
    if slot.name == "rip":
        return symbols.name(slot.value)
    if slot.name == "rsp":
        return f"mod 16 = {slot.value % 16}"
    if slot.name == "vector":
        return short(trap.vector)
    if slot.name == "error" and not trap.code_pushed:
        return "a dummy: no code came"
    return ""


def _row(slot: Slot, trap: Trap) -> str:
    text = f"  {slot.address:016x} | {slot.value:016x} | {slot.name:<7}{slot.pusher:<6}"
    return (text + clipped(_meaning(slot, trap), WIDTH - len(text))).rstrip()


def _pair(left: Slot, right: Slot | None) -> str:
    """Two general registers in one row, as in the order of pushing, so that all fit a screen."""
    text = f"  {left.address:016x} | {left.value:016x} | {left.name:<7}{left.pusher}"
    return text if right is None else f"{text} | {right.value:016x} | {right.name}"


def headline(trap: Trap) -> list[str]:
    """Return what trap it is and where it came."""
    lines = [f"{title(trap.vector)}, in {trap.origin()}"]
    if trap.code_pushed:
        code = gdb.selected_inferior().read_memory(trap.at("error_code"), 4).tobytes()
        text = words.error(trap.vector, int.from_bytes(code, "little"))
        if short(trap.vector) == "#PF":
            text += f", CR2 {int(gdb.parse_and_eval('$cr2')):#x}"
        lines.append(f"error: {text}")
    return [line[:WIDTH] for line in lines]


def _stack(address: int) -> str:
    """Return the name of the stack, of any CPU, that holds @address: layout.def."""
    base, size = CONSTANTS["CPU_BASE"], CONSTANTS["CPU_REGION_SIZE"]
    if base <= address < base + CONSTANTS["CPU_LIMIT"] * size:
        address = base + address % size  # as the first CPU has it
    for key, value in CONSTANTS.items():
        if key.endswith("_STACK_LOW") and value <= address <= CONSTANTS[key[:-3] + "HIGH"]:
            return f"the {key[:-10].replace('_', ' ').lower()} stack"
    return "another stack"


def _above(trap: Trap) -> str:
    """Where RSP was when the trap came, and how the CPU came from there to the top of the frame."""
    before = register(trap.interrupted(), "rsp")
    text = f"  {before:016x}   RSP when it came"
    gap = before - trap.top
    if gap == 0:
        return text + ", mod 16 = 0"
    if 0 < gap < 16:
        return text + f"; the CPU aligned it down by {gap}"
    return text + f"; the CPU took {_stack(trap.top)}"


def draw(trap: Trap) -> list[str]:
    """Return the lines of the picture of @trap as far as its stack has grown."""
    slots = trap.slots()
    lines = [_above(trap), _BORDER]
    lines += [_row(slot, trap) for slot in slots if slot.pusher != ENTRY]
    general = [slot for slot in slots if slot.pusher == ENTRY]
    for index in range(0, len(general), 2):
        lines.append(_pair(*(general[index : index + 2] + [None])[:2]))
    lines.append(f"{_BORDER} <- RSP {trap.rsp:016x}, mod 16 = {trap.rsp % 16}")
    if any(slot.pusher == FIXUP for slot in slots):
        lines.append("  fixup: .open_slot, for no code came with this vector")
    return lines


def instruction(pc: int) -> str:
    """Return the instruction at @pc as NASM writes it, with the names of its targets."""
    code = gdb.selected_inferior().architecture().disassemble(pc)[0]["asm"]
    head, bracket, target = code.partition("<")
    if bracket:
        head = head[: head.rindex("0x")] + target.rstrip(">")
    for theirs, ours in _NASM.items():
        head = head.replace(theirs, ours)
    return " ".join(head.split())
