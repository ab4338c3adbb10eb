"""What a mutant of C changes: a statement or an initializer is deleted, a call swapped with what is
beside it, a condition negated, an operator or a constant exchanged for another one. clang-format
has laid the sources out, and that layout is all that is known of C here: what makes no sense does
not compile."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

COMMENT = re.compile(r"\s*//.*")
UNTOUCHED = re.compile(r'"[^"]*"|sizeof\([^()]*\)')  # nothing in them is evaluated
NO_CODE = re.compile(r"\s*$|#(?!define \w+ +\S)|extern\b|};")
NOT_RUN = re.compile(r"__attribute__|_Static_assert")

DECLARATION = re.compile(r"(static|const|struct|unsigned|bool|size_t|uint\d+_t|trap_fn)\b")
INITIALIZER = re.compile(r"(\.\w+(\[.*\])?|\[\w+\]) = .*,|\{.*\},")
EFFECT = re.compile(r"\w\S*\(|return")
CONDITION = re.compile(r"\b(?:if|while) \(")

EXCHANGES = {" < ": " <= ", " <= ": " < ", " > ": " >= ", " >= ": " > ", " == ": " != "}
EXCHANGES |= {" != ": " == ", " && ": " || ", " || ": " && ", " ? ": " ? !"}
EXCHANGES |= {"true": "false", "false": "true"}
OPERATOR = re.compile("|".join(map(re.escape, EXCHANGES)))
NUMBER = re.compile(r"(?<![\w.])(?:0x[0-9A-F]+|\d+)(?:ul|u)?\b")
NAME = re.compile(r"(?<!define )(?<!\w)(?!NULL\b)[A-Z][A-Z0-9_]{2,}\b(?!\()")

Change = tuple[str, list[str]]  # what it does, and all lines with it


@dataclass
class Statement:
    """A statement, an initializer, a #define, or the head of a block."""

    first: int  # the numbers of its first line, and of that behind its last one
    end: int
    code: str  # without comments

    @property
    def name(self) -> str:
        return " ".join(self.code.split())

    @property
    def is_simple(self) -> bool:
        """Whether it can be left out without a change to what is around it."""
        is_statement = self.code.startswith("    ") and re.search(r"[^}];$", self.code)
        is_needed = DECLARATION.match(self.name) or re.match(r"return .|for ", self.name)
        return bool(is_statement and not is_needed)

    @property
    def has_effect(self) -> bool:
        """Whether it does more than assign: then the order counts."""
        return self.is_simple and bool(EFFECT.match(self.name))

    @property
    def indent(self) -> int:
        return len(self.code) - len(self.code.lstrip())


def _statements(lines: list[str]) -> list[Statement]:
    found, first, depth = [], None, 0
    for number, line in enumerate(lines):
        code = COMMENT.sub("", line)
        if first is None:
            if NO_CODE.match(code) or code.endswith("\\"):
                continue
            first, depth = number, 0
        depth += code.count("(") - code.count(")")
        is_define = code.startswith("#")
        if depth == 0 and (is_define or code.endswith((";", "{", "}", ")", ","))):
            text = "\n".join(COMMENT.sub("", part) for part in lines[first : number + 1])
            if not NOT_RUN.match(text.lstrip()):
                found.append(Statement(first, number + 1, text))
            first = None
    return found


def _closing(code: str, opening: int) -> int:
    """The place of the parenthesis that closes the one at @opening."""
    depth = 0
    for place in range(opening, len(code)):
        depth += {"(": 1, ")": -1}.get(code[place], 0)
        if depth == 0:
            return place
    raise ValueError(code)


def _rewritings(code: str) -> Iterator[tuple[str, str]]:
    """The changes inside of a statement: a name, and the statement with it."""
    for match in CONDITION.finditer(code):
        start, end = match.end(), _closing(code, match.end() - 1)
        if not OPERATOR.search(code[start:end]):  # else its operators are exchanged
            yield "negate", f"{code[:start]}!({code[start:end]}){code[end:]}"
    untouched = [range(*match.span()) for match in UNTOUCHED.finditer(code)]
    exchanges = (
        (OPERATOR, lambda text: EXCHANGES[text]),
        (NUMBER, lambda text: f"({text} + 1)"),
        (NAME, lambda _: "0"),
    )
    for pattern, change in exchanges:
        for match in pattern.finditer(code):
            if not any(match.start() in part for part in untouched):
                new = change(match[0])
                changed = code[: match.start()] + new + code[match.end() :]
                yield f"{new.strip()} for {match[0].strip()}", changed


def changes(text: str) -> Iterator[Change]:
    """Yield the changes of a source."""
    lines = text.splitlines()
    statements = _statements(lines)

    def change(what: str, of: Statement, code: str) -> Change:
        return f"{what}: {of.name}", lines[: of.first] + [code] + lines[of.end :]

    for statement in statements:
        if statement.is_simple:
            yield change("delete", statement, ";")
        elif INITIALIZER.fullmatch(statement.name):
            yield change("delete", statement, "")
        for what, code in _rewritings(statement.code):
            yield change(what, statement, code)
    for a, b in zip(statements, statements[1:]):
        is_pair = a.is_simple and b.is_simple and (a.end, a.indent) == (b.first, b.indent)
        if is_pair and (a.has_effect or b.has_effect):
            swapped = lines[: a.first] + [b.code, a.code] + lines[b.end :]
            yield f"swap {a.name} / {b.name}", swapped
