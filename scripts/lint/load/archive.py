"""The members of an archive: GNU's and BSD's of `ar`, and GNU's thin ones."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from lint.errors import CannotRun

MAGIC, THIN_MAGIC = b"!<arch>\n", b"!<thin>\n"
HEADER_SIZE = 60
END = b"`\n"
INDEXES = ("/", "/SYM64/", "__.SYMDEF", "__.SYMDEF SORTED", "__.SYMDEF_64")


def is_archive(data: bytes) -> bool:
    """Whether @data is an archive's."""
    return data[: len(MAGIC)] in (MAGIC, THIN_MAGIC)


def members(path: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of the files in the archive @data of the file at @path."""
    thin, at, names = data.startswith(THIN_MAGIC), len(MAGIC), b""
    while at < len(data):
        header = data[at : at + HEADER_SIZE]
        size = header[48:58].strip()
        if header[58:] != END or not size.isdigit():
            raise CannotRun(f"{path}: the archive is broken at byte {at}")
        start, name = at + HEADER_SIZE, header[:16].decode("latin-1").rstrip()
        within = not thin or name in ("/", "//", "/SYM64/")
        content = data[start : start + int(size)] if within else b""
        at = start + (int(size) + 1) // 2 * 2 if within else start
        if name == "//":
            names = content
            continue
        name, content = _named(name, content, names)
        if name in INDEXES:
            continue
        yield f"{path}({name})", content if within else _beside(path, name)


def _named(name: str, content: bytes, names: bytes) -> tuple[str, bytes]:
    """Return a member's whole name, which may be in the archive's list or before its content."""
    if name.startswith("#1/") and name[3:].isdigit():
        length = int(name[3:])
        return content[:length].rstrip(b"\0").decode("utf-8", "replace"), content[length:]
    if name[:1] == "/" and name[1:].isdigit():
        start = int(name[1:])
        end = names.find(b"/\n", start)
        return names[start : end if end >= 0 else None].decode("utf-8", "replace"), content
    return (name if name in INDEXES else name.removesuffix("/")), content


def _beside(path: str, name: str) -> bytes:
    """Return the content of the file that a thin archive names."""
    try:
        return (Path(path).parent / name).read_bytes()
    except OSError as error:
        raise CannotRun(f"{path}: of its member {name}: {error.strerror}") from None
