"""The page's ES modules as one script: the browser needs no server to load them from.

A module comes after those that it imports. As all then share one scope, no two may have a top-level
name in common; that is checked here.
"""

from __future__ import annotations

import re
from pathlib import Path

IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)
RENAMED = re.compile(r"(\w+) as (\w+)")
EXPORT = re.compile(r"^export (?=(?:async )?(?:function|const|let|class) )", re.MULTILINE)
TOP_LEVEL = re.compile(r"^(?:async )?(?:function|const|let|class) (\w+)", re.MULTILINE)


def joined(main: Path) -> str:
    """Return @main with all that it imports in front of it. Raises ValueError for a name that two
    modules have."""
    order: list[Path] = []
    _visit(main, order)
    owners: dict[str, str] = {}
    parts = []
    for module in order:
        text = EXPORT.sub("", _without_imports(module))
        for name in TOP_LEVEL.findall(text):
            if owner := owners.get(name):
                raise ValueError(f"{module.name} and {owner} both have a top-level {name}")
            owners[name] = module.name
        parts.append(f"// {module.name}\n{text}")
    return "\n".join(parts)


def _visit(module: Path, order: list[Path]) -> None:
    if module in order:
        return
    for name in IMPORT.findall(module.read_text()):
        _visit(module.with_name(f"{name}.js"), order)
    order.append(module)


def _without_imports(module: Path) -> str:
    text = module.read_text()
    imports = "".join(match[0] for match in IMPORT.finditer(text))
    if renamed := RENAMED.search(imports):
        raise ValueError(f"{module.name}: an import may not be renamed: {renamed[0]}")
    return IMPORT.sub("", text)
