"""What all commands have in common."""

from __future__ import annotations

import inspect

import gdb


def say(text: str = "") -> None:
    """Print a line."""
    gdb.write(text + "\n")


class Command(gdb.Command):
    """A command of GDB's: @name, its docstring for `help`, and run()."""

    name = ""

    def __init__(self) -> None:
        self.__doc__ = inspect.cleandoc(self.__doc__)
        super().__init__(self.name, gdb.COMMAND_USER)

    def run(self, argument: str) -> None:
        """Do it. @argument is without spaces around it."""
        raise NotImplementedError

    def candidates(self) -> list[str]:
        """Return what the argument may be, for the Tab key."""
        return []

    def invoke(self, argument: str, from_tty: bool) -> None:
        self.run(argument.strip())

    def complete(self, text: str, word: str) -> list[str]:
        start = len(text) - len(word)
        return [name[start:] for name in self.candidates() if name.startswith(text)]
