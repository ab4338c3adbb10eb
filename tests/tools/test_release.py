"""What a release publishes: whole, and the same bytes from the same commit."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from conftest import BUILD, ROOT


@pytest.fixture(scope="module")
def build(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of what `make` has built, for these tests alone."""
    mine = tmp_path_factory.mktemp("release") / "build"
    shutil.copytree(BUILD, mine, copy_function=shutil.copy2, ignore=only_the_kernel)
    return mine


def only_the_kernel(folder: str, names: list[str]) -> set[str]:
    kernel = {"asm", "boot", "kernel", "tests", "generated", "c-flags", "nasm-flags", "names"}
    return set(names) - kernel if Path(folder) == BUILD else set()


def image(build: Path) -> bytes:
    """The bytes of the release's image, written now."""
    path = build / "release.iso"
    path.unlink(missing_ok=True)
    environment = {name: value for name, value in os.environ.items() if "MAKE" not in name}
    done = subprocess.run(
        ["make", "-s", f"BUILD={build}", path], cwd=ROOT, env=environment,
        capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    return path.read_bytes()


def test_an_image_of_a_release_is_the_same_each_time(build: Path) -> None:
    """The second is written seconds later, from files that are newer."""
    first, second = image(build), image(build)
    assert hashlib.sha256(first).digest() == hashlib.sha256(second).digest()


def test_the_tag_that_publishes_is_held_against_the_version() -> None:
    workflow = (ROOT / ".github" / "workflows" / "release.yml").read_text()
    line = next(line for line in workflow.splitlines() if "scripts/version.py" in line)
    command = line.partition("run: ")[2]
    for tag, status in (("v0.0", 1), (f"v{number()}", 0)):
        environment = {**os.environ, "GITHUB_REF_NAME": tag}
        assert subprocess.run(command, shell=True, cwd=ROOT, env=environment).returncode == status


def number() -> str:
    done = subprocess.run(
        ["/usr/bin/python3", "scripts/version.py"], cwd=ROOT, capture_output=True, text=True
    )
    return done.stdout.split()[0]
