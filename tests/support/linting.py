"""For the tests of stublint: files to lint, and its report."""

from __future__ import annotations

import json
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from conftest import BUILD, ROOT
from elf.symbols import binutil
from lint import cli

SOURCES = ROOT / "tests/lint"
OUR_KERNEL = (str(BUILD / "barestub.elf"), "--allow", str(SOURCES / "barestub.allow"))
KERNEL_C = ("-ffreestanding", "-mno-red-zone", "-mgeneral-regs-only", "-fno-stack-protector",
            "-fcf-protection=none", "-fno-pic", "-O2", "-g")  # fmt: skip


@dataclass
class Report:
    """What stublint has said."""

    status: int
    findings: list[dict] = field(default_factory=list)
    coverage: dict = field(default_factory=dict)
    vectors: list[int] = field(default_factory=list)

    def rules(self, *severities: str) -> set[str]:
        """The names of the rules broken, of these severities or of all, but for what is allowed."""
        return {
            finding["rule"]
            for finding in self.findings
            if finding["severity"] in (severities or ("ERROR", "ABI", "LATENT"))
            and not finding["allowed"]
        }

    def finding(self, rule: str) -> dict:
        """The first finding under @rule."""
        return next(finding for finding in self.findings if finding["rule"] == rule)


class Workbench:
    """Makes files of the sources in tests/lint, in a directory of its own, and lints them."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def lint(self, *arguments: object) -> Report:
        """Run stublint and return its report."""
        answer = self._directory / "report.json"
        status = cli.main([*map(str, arguments), "--json", str(answer)])
        assert status != cli.CANNOT_RUN
        report = json.loads(answer.read_text())
        return Report(status, report["findings"], report["coverage"], report["vectors"])

    def assemble(
        self, name: str, *bugs: str, design: str = "", defines: tuple[str, ...] = ()
    ) -> Path:
        """Assemble a NASM file with these bugs and @defines, as @design if it has several."""
        target = self._directory / f"{Path(name).name}.o"
        command = ["nasm", "-f", "elf64", "-I", f"{SOURCES}/", "-o", target]
        command += [f"-DBUG_{bug}" for bug in bugs]
        command += [f"-DDESIGN_{design}"] if design else []
        command += [f"-D{define}" for define in defines]
        subprocess.run([*command, SOURCES / name], check=True)
        return target

    def compile(self, name: str, *flags: str, compiler: str = "") -> Path:
        """Compile a C or GAS file."""
        target = self._directory / f"{name}.o"
        command = [compiler or binutil("gcc"), *flags, "-c", SOURCES / name, "-o", target]
        subprocess.run(command, check=True)
        return target
