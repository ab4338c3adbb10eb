"""What all commands have in common."""

from __future__ import annotations

import inspect
import textwrap

import gdb

WIDTH = 79  # of everything that we print: a terminal of 80 columns


def say(text: str = "") -> None:
    """Print a line."""
    gdb.write(text + "\n")


class Command(gdb.Command):
    """A command of GDB's: @name, its docstring for `help`, and run()."""

    name = ""

    def __init__(self) -> None:
        paragraphs = inspect.cleandoc(self.__doc__).split("\n\n")
        self.__doc__ = "\n\n".join(textwrap.fill(text, WIDTH) for text in paragraphs)
        super().__init__(self.name, gdb.COMMAND_USER)

    def run(self, argument: str) -> None:
        """Do it. @argument is without spaces around it."""
        raise NotImplementedError

    def candidates(self) -> list[str]:
        """Return what the argument may be, for the Tab key."""
        return []

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.run(argument.strip())

    def complete(self, text: str, word: str | None) -> list[str]:
        if word is None:
            return []  # GDB asks first where the word begins, and finds it itself
        start = len(text) - len(word)
        return [name[start:] for name in self.candidates() if name.startswith(text)]
