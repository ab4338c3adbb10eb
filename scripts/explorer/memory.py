"""The machine's memory as a recording knows it: what it has seen written, or read."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Memory:
    """Bytes by their address."""

    known: dict[int, int] = field(default_factory=dict)

    def store(self, address: int, size: int, value: int | None) -> None:
        """Write @size bytes; None is a value that nobody has seen."""
        for place in range(size):
            if value is None:
                self.known.pop(address + place, None)
            else:
                self.known[address + place] = value >> 8 * place & 0xFF

    def load(self, address: int, size: int) -> int | None:
        """Return what is there, or None if a byte of it is not known."""
        parts = [self.known.get(address + place) for place in range(size)]
        return None if None in parts else int.from_bytes(bytes(parts), "little")

    def put(self, address: int, data: bytes) -> None:
        """Take @data for what is at @address."""
        self.known |= {address + place: byte for place, byte in enumerate(data)}

    def copy(self) -> Memory:
        return Memory(dict(self.known))
