"""Stubs by what they are: a constant or two pushed, then a jump to, or a call of, code that returns
by IRETQ. The constant is the vector."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass

from lint.architecture import VECTOR_COUNT
from lint.engine.disasm import Decoder
from lint.engine.returning import Handlers
from lint.load.image import Image

# Perhaps ENDBR64, one or two PUSH of a constant, and JMP or CALL; wherever a byte can begin it.
STUB = re.compile(
    rb"(?=((?:\xf3\x0f\x1e\xfa)?(?:\x6a.|\x68.{4}){1,2}(?:[\xe8\xe9].{4}|\xeb.)))", re.DOTALL
)
BEFORE = 4  # bytes of such as CLI or CLD between a symbol and its first PUSH
FIRST = 4  # instructions, among which a stub has its PUSH
ENOUGH = 3  # stubs with vectors of their own are no accident


@dataclass(frozen=True)
class Pusher:
    """Code that pushes constants and goes on to a common path."""

    address: int
    end: int
    constants: tuple[int, ...]  # in their order
    common: int


def stubs_by_pushes(image: Image, decoder: Decoder, handlers: Handlers) -> dict[int, int]:
    """Return the vectors of all stubs by their addresses; those of a common path whose vectors
    another one has as well are left out."""
    paths: dict[int, list[Pusher]] = defaultdict(list)
    for pusher in _pushers(image, decoder, handlers):
        paths[pusher.common].append(pusher)
    found: dict[int, int] = {}
    for pushers in sorted(paths.values(), key=len, reverse=True):
        vectors = _vectors(pushers)
        if not set(vectors) & set(found.values()):
            found.update(zip((pusher.address for pusher in pushers), vectors))
    return found if len(found) >= ENOUGH else {}


def pushed_vector(decoder: Decoder, address: int) -> int | None:
    """Return the last constant among the first instructions at @address that can be a vector."""
    vector = None
    for _ in range(FIRST):
        instruction = decoder.at(address)
        if instruction is None or instruction.mnemonic.startswith(("j", "call", "iret")):
            break
        number = decoder.target(instruction) if instruction.mnemonic == "push" else None
        if number is not None and number < VECTOR_COUNT:
            vector = number
        address = instruction.end
    return vector


def _pushers(image: Image, decoder: Decoder, handlers: Handlers) -> list[Pusher]:
    found: list[Pusher] = []
    for segment in image.code():
        for match in STUB.finditer(bytes(segment.data)):
            address = segment.address + match.start()
            if found and address < found[-1].end:
                continue
            pusher = _read(decoder, address)
            if pusher is not None and pusher.common in handlers:
                found.append(_from_symbol(image, decoder, pusher))
    return found


def _read(decoder: Decoder, address: int) -> Pusher | None:
    constants, at = [], address
    while (instruction := decoder.at(at)) is not None:
        number = decoder.target(instruction)
        if instruction.mnemonic == "push" and number is not None:
            constants.append(number)
        elif instruction.mnemonic in ("jmp", "call") and number is not None:
            return Pusher(address, instruction.end, tuple(constants), number)
        elif instruction.mnemonic != "endbr64":
            return None
        at = instruction.end
    return None


def _from_symbol(image: Image, decoder: Decoder, pusher: Pusher) -> Pusher:
    """Return @pusher with what lies between it and a symbol just before."""
    for start in range(pusher.address, pusher.address - BEFORE - 1, -1):
        if image.starts_function(start):
            at = start
            while at < pusher.address and (instruction := decoder.at(at)) is not None:
                at = instruction.end
            if at == pusher.address:
                return Pusher(start, pusher.end, pusher.constants, pusher.common)
    return pusher


def _vectors(pushers: list[Pusher]) -> list[int]:
    """Return the vector of each: the last constant, or the first, if they all differ."""
    for which in (-1, 0):
        numbers = [_unsigned(pusher.constants[which]) for pusher in pushers]
        if len(set(numbers)) == len(numbers) and max(numbers) < VECTOR_COUNT:
            return numbers
    return []


def _unsigned(number: int) -> int:
    """Return the vector that a PUSH of a byte has made negative."""
    negative = number - (1 << 64)
    return negative % VECTOR_COUNT if -128 <= negative < 0 else number
