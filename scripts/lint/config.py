"""stublint.toml: what a project would say on every command line, and the findings it lives with.

A key is the long name of an option without its dashes, `files` for the files. The table [allow] has
lines of an allow-file: `"rule:vectors" = "reason"`.
"""

from __future__ import annotations

import argparse
import re
import tomllib
from dataclasses import dataclass, field
from pathlib import Path

from lint.checks import allow
from lint.errors import CannotRun, near

NAME = "stublint.toml"
ALLOW = "allow"
# What is meant for one run alone.
NEVER = ("help", "version", "rules", "config", "write-baseline")


@dataclass
class Config:
    """What such a file says."""

    values: dict[str, object] = field(default_factory=dict)  # for the parser's set_defaults()
    allowances: list[allow.Allowance] = field(default_factory=list)


def load(path: str | None, parser: argparse.ArgumentParser) -> Config:
    """Return what the file at @path says, or that in the current directory, if there is one."""
    if path is None and not Path(NAME).exists():
        return Config()
    return _Reader(path or NAME, parser).read()


class _Reader:
    """Reads one file."""

    def __init__(self, path: str, parser: argparse.ArgumentParser) -> None:
        self._path = path
        self._options = {_key(action): action for action in parser._actions}
        for name in NEVER:
            self._options.pop(name, None)

    def read(self) -> Config:
        try:
            self._text = Path(self._path).read_text()
            table = tomllib.loads(self._text)
        except tomllib.TOMLDecodeError as error:
            words, _, where = str(error).partition(" (at ")
            numbers = re.findall(r"\d+", where) or [self._text.count("\n") + 1]  # of its last line
            raise CannotRun(f"{self._path}:{numbers[0]}: this is no TOML: {words}") from None
        except (OSError, UnicodeDecodeError) as error:
            reason = getattr(error, "strerror", None) or error
            raise CannotRun(f"{self._path}: {reason}") from None
        config = Config()
        for key, value in table.items():
            if key == ALLOW and isinstance(value, dict):
                config.allowances = [self._allowance(*line) for line in value.items()]
            else:
                self._option(config, key, value)
        return config

    def _allowance(self, finding: str, reason: object) -> allow.Allowance:
        if not isinstance(reason, str) or not reason.strip():
            raise CannotRun(
                f'{self._place(finding)}: expected "rule:vectors" = "reason", for example'
                ' "sse-unsaved:*" = "C is built with -mgeneral-regs-only"'
            )
        return allow.parse(f"{finding}  {reason}", self._place(finding))

    def _option(self, config: Config, key: str, value: object) -> None:
        action = self._options.get(key)
        if action is None:
            raise CannotRun(
                f"{self._place(key)}: there is no option {key}{near(key, self._options)}"
            )
        values = self._values(action, value)
        if values is None:
            raise CannotRun(f"{self._place(key)}: {key} is {_expected(action)}")
        config.values[action.dest] = values

    @staticmethod
    def _values(action: argparse.Action, value: object) -> object | None:
        """Return @value as @action leaves it behind, None if it is of another kind."""
        if action.nargs == 0:
            return value if isinstance(value, bool) else None
        if action.type is not None:
            number = isinstance(value, (int, float)) and not isinstance(value, bool)
            try:
                return action.type(str(value)) if number else None
            except ValueError:
                return None
        if isinstance(action.default, list):
            value = [value] if isinstance(value, str) else value
            strings = isinstance(value, list) and all(isinstance(item, str) for item in value)
            return value if strings else None
        return value if isinstance(value, str) else None

    def _place(self, key: str) -> str:
        """Return file and line of @key."""
        pattern = rf"^\s*[\"']?{re.escape(key)}[\"']?\s*(=|\.)|^\s*\[+\s*{re.escape(key)}\s*\]"
        for number, line in enumerate(self._text.splitlines(), 1):
            if re.match(pattern, line):
                return f"{self._path}:{number}"
        return self._path


def _key(action: argparse.Action) -> str:
    """Return the name of @action in the file."""
    long = [name[2:] for name in action.option_strings if name.startswith("--")]
    return long[0] if long else action.dest


def _expected(action: argparse.Action) -> str:
    if action.nargs == 0:
        return "true or false"
    if action.type is not None:
        return "a number"
    return "a list of strings" if isinstance(action.default, list) else "a string"
