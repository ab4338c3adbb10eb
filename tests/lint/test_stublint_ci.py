"""stublint where nobody sits at the terminal: a project's own settings, what counts and what does
not, answers for programs, and one file in the place of a clone."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conftest import ROOT

for module in ("unicorn", "capstone", "elftools"):
    pytest.importorskip(module)

from lint import cli  # noqa: E402
from linting import Workbench  # noqa: E402


@pytest.fixture(scope="module")
def bench(tmp_path_factory: pytest.TempPathFactory) -> Workbench:
    return Workbench(tmp_path_factory.mktemp("bench"))


@pytest.fixture(scope="module")
def broken(bench: Workbench) -> Path:
    """Three stubs, one of which forgets a register, and one function that nobody lints."""
    return bench.assemble("coverage.asm", "UNLINTED", "LOST")


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


def configure(text: str) -> None:
    Path("stublint.toml").write_text(text)


def test_a_project_has_its_settings(broken: Path, capsys: pytest.CaptureFixture[str]) -> None:
    configure(f"""
files = ["{broken}"]
partial-ok = true
brief = true
stub = "77=sneaky"
[allow]
"register-lost:0-2" = "R11 is nobody's here"
""")
    assert cli.main([]) == cli.FINDINGS
    assert "R11 is nobody's here" in capsys.readouterr().out
    assert cli.main(["--stub", "78=sneaky", "--json", "-"]) == cli.FINDINGS
    assert json.loads(capsys.readouterr().out)["vectors"] == [0, 1, 2, 77, 78]
    Path("stublint.toml").rename("other.toml")
    assert cli.main([]) == cli.CANNOT_RUN
    assert cli.main(["--config", "other.toml"]) == cli.FINDINGS


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('brief = true\nfile = ["a"]', "stublint.toml:2: there is no option file; is it files?"),
        ("version = true", "stublint.toml:1: there is no option version"),
        ("\nbrief = 3", "stublint.toml:2: brief is true or false"),
        ('stride = "16"', "stublint.toml:1: stride is a number"),
        ("stride = -1", "stublint.toml:1: stride is a number"),
        ("pattern = [1]", "stublint.toml:1: pattern is a list of strings"),
        ("table = 1", "stublint.toml:1: table is a string"),
        ("brief = true\n[alow]", "stublint.toml:2: there is no option alow; is it allow?"),
        ('[allow]\n"df-sett:*" = "x"', "stublint.toml:2: there is no rule df-sett; is it df-set?"),
        ('[allow]\n"df-set:*" = ""', 'stublint.toml:2: expected "rule:vectors" = "reason"'),
        ('[allow]\n"df-set:999" = "x"', "stublint.toml:2: 999 is no vector"),
        ("brief = true\nbrief", "stublint.toml:2: this is no TOML"),
    ],
)
def test_wrong_settings_are_named(
    text: str, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure(text)
    assert cli.main(["any.elf"]) == cli.CANNOT_RUN
    error = capsys.readouterr().err
    assert error.startswith(f"stublint: {words}") and error.count("\n") == 1


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--tabel", "x"], "--tabel: there is no such option; is it --table?"),
        (["--config", "missing.toml"], "missing.toml: No such file"),
        (["--write-baseline"], "--write-baseline: name the file by --baseline FILE"),
        (["--json", "-", "--sarif", "-"], "--json - and --sarif -: one of them needs a file"),
    ],
)
def test_wrong_words_are_named(
    arguments: list[str], words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == cli.CANNOT_RUN
    output = capsys.readouterr()
    assert words in output.err and not output.out


def test_a_file_that_is_not_there_is_named_with_one_that_is(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("stubs.o").touch()
    assert cli.main(["stub.o"]) == cli.CANNOT_RUN
    assert capsys.readouterr().err == (
        "stublint: stub.o: No such file or directory; is it stubs.o?\n"
    )
    assert cli.main(["nowhere/stubs.o"]) == cli.CANNOT_RUN
    assert capsys.readouterr().err == "stublint: nowhere/stubs.o: No such file or directory\n"


def test_on_a_terminal_a_long_message_is_folded(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Path("bitcode.o").write_bytes(b"BC\xc0\xde")
    assert cli.main(["bitcode.o"]) == cli.CANNOT_RUN
    whole = capsys.readouterr().err
    assert whole.count("\n") == 1
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    assert cli.main(["bitcode.o"]) == cli.CANNOT_RUN
    folded = capsys.readouterr().err
    assert folded.split() == whole.split()
    assert max(map(len, folded.splitlines())) <= 80


def test_nothing_but_the_report_goes_to_standard_output(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for option in ("--json", "--sarif"):
        assert cli.main([str(broken), option, "-"]) == cli.FINDINGS
        assert "version" in json.loads(capsys.readouterr().out)
    assert cli.main(["missing.elf", "--json", "-"]) == cli.CANNOT_RUN
    assert not capsys.readouterr().out


def test_only_what_is_new_counts(
    broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = ["--baseline", "known.json", "--partial-ok"]
    assert cli.main([str(broken), *known]) == cli.CANNOT_RUN
    assert "--write-baseline makes it" in capsys.readouterr().err
    assert cli.main([str(broken), *known, "--write-baseline"]) == cli.CLEAN
    lines = json.loads(Path("known.json").read_text())["findings"]
    assert [line["vectors"] for line in lines if line["rule"] == "register-lost"] == [[0, 1, 2]]
    assert cli.main([str(broken), *known]) == cli.CLEAN
    assert "register-lost  3 vectors: 0-2: in known.json" in capsys.readouterr().out
    worse = Workbench(Path()).assemble("coverage.asm", "LOST", "LOST_TOO")
    assert cli.main([str(worse), *known, "--json", "new.json"]) == cli.FINDINGS
    found = json.loads(Path("new.json").read_text())["findings"]
    new = [f for f in found if not f["allowed"] and f["severity"] != "INFO"]
    assert [f["rule"] for f in new] == ["register-lost"] and "r10" in new[0]["seen"]


@pytest.mark.parametrize("text", ["{", "[]", '{"findings": [{}]}'])
def test_what_is_no_baseline_is_called_so(
    text: str, broken: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("known.json").write_text(text)
    assert cli.main([str(broken), "--baseline", "known.json"]) == cli.CANNOT_RUN
    assert "known.json" in (error := capsys.readouterr().err) and "this is no baseline" in error


def build(target: Path, **environment: str) -> bytes:
    subprocess.run(
        [ROOT / "scripts/build/zipapp", target], env={**os.environ, **environment}, check=True
    )
    return target.read_bytes()


def test_one_file_is_enough(broken: Path, tmp_path: Path) -> None:
    """It is the same whenever it is made, and needs nothing of the clone."""
    program = tmp_path / "stublint.pyz"
    first = build(program, SOURCE_DATE_EPOCH="1700000000", TZ="UTC")
    again = build(tmp_path / "again", SOURCE_DATE_EPOCH="1700000000", TZ="Asia/Tokyo", LANG="C")
    assert first == again != build(tmp_path / "other", SOURCE_DATE_EPOCH="1600000000")
    done = subprocess.run([program, broken, "--json", "-"], capture_output=True, text=True)
    assert done.returncode == cli.FINDINGS, done.stderr
    assert json.loads(done.stdout)["vectors"] == [0, 1, 2]


def test_every_copy_says_which_it_is(tmp_path: Path) -> None:
    """Even if somebody has put it into a clone of his own."""
    theirs = tmp_path / "theirs"
    program = theirs / "stublint.pyz"
    theirs.mkdir()
    build(program)
    if shutil.which("git"):
        subprocess.run(["git", "init", "-q"], cwd=theirs, check=True)
    said = [
        subprocess.run([command, "--version"], capture_output=True, text=True, check=True).stdout
        for command in (ROOT / "scripts/stublint", program)
    ]
    assert said[0] == said[1] and re.search(r"\d", said[0])


def test_the_action_and_the_hook_run_what_is_there() -> None:
    action = (ROOT / "action.yml").read_text()
    for script, words in re.findall(r'"\$GITHUB_ACTION_PATH/(\S+)"(.*)', action):
        assert os.access(ROOT / script, os.X_OK), script
        for variable in re.findall(r"\$(\w+)", words):
            assert f"{variable}: ${{{{ inputs.{variable.lower()} }}}}" in action
    hook = (ROOT / ".pre-commit-hooks.yaml").read_text()
    entry = re.search(r"^  entry: (.*)$", hook, re.MULTILINE)[1]
    assert os.access(ROOT / shlex.split(entry)[0], os.X_OK)
    files = re.search(r"^  files: '(.*)'$", hook, re.MULTILINE)[1]
    assert re.search(files, "src/entry.asm") and not re.search(files, "README.md")
