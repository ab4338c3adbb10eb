"""The explorer's page in a real browser."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

import played
from conftest import BUILD, ROOT
from explorer import modules, pack, shots
from explorer.browser import READY, SIZES, Browser
from manuals import CONSTANTS, VECTORS
from museum.bugs import bugs

HOME = "#/trap/pf-write-readonly/"
BESIDE = "#/trap/gp-user-cli/12/vs/ud-ud2"
TABS = ("truth", "bugs", "cost", "stacks", "vectors", "about")
SMALLEST = 5000  # bytes of a picture that has something on it
AXE_TAGS = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


def text(browser: Browser, selector: str) -> str:
    return browser.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector)


def texts(browser: Browser, selector: str) -> list[str]:
    script = "return [...document.querySelectorAll(arguments[0])].map((e) => e.innerText)"
    return browser.run(script, selector)


def click(browser: Browser, selector: str) -> None:
    browser.run("document.querySelector(arguments[0]).click(); return settled()", selector)


PRESS = """
const event = new KeyboardEvent('keydown', { key: arguments[0], bubbles: true, cancelable: true });
(document.activeElement ?? document.body).dispatchEvent(event);
"""


def press(browser: Browser, key: str) -> None:
    browser.run(PRESS, key)


def address(browser: Browser) -> str:
    """The address, once a moment's rest has brought it up to date."""
    time.sleep(0.25)
    return browser.run("return location.hash")


def step(browser: Browser) -> int:
    return int(text(browser, ".transport .count").split(" / ")[0])


def test_every_recording_plays_to_its_end(
    browser: Browser, page: Path, recordings: dict[str, played.Json]
) -> None:
    """And each step shows what the JSON says: registers, stack, RSP, instruction, source."""
    browser.visit(page, HOME)
    for name, recording in recordings.items():
        browser.go(f"#/trap/{name}/0")
        places = played.places(recording)
        assert text(browser, "#problems") == ""
        seen = played.shown(browser.run, recording)
        for number, ((registers, slots), has) in enumerate(zip(played.states(recording), seen)):
            where = f"{name}, step {number}"
            assert has[0] == registers, where
            assert has[1] == slots, where
            assert has[2] == (registers["rsp"] if registers["rsp"] in places else None), where
            assert has[3] == played.instruction(recording, number), where
            check_source(recording, number, has, where)
        assert step(browser) == len(recording["steps"])


def check_source(recording: played.Json, number: int, has: list, where: str) -> None:
    """The line that is marked is the one of the file, where the file is known."""
    one = recording["steps"][number] if number < len(recording["steps"]) else {}
    code = recording["code"].get(one.get("rip"), {}) if "delivery" not in one else {}
    path = ROOT / (code.get("file") or "-")
    if path.is_file():
        assert has[4] == f"{code['file']}:{code['line']}", where
        if recording["group"] == "fault":
            assert has[5] == path.read_text().split("\n")[code["line"] - 1], where


def test_keys(browser: Browser, page: Path) -> None:
    browser.visit(page, HOME)
    for key, expected in (("ArrowRight", 1), ("j", 2), ("ArrowLeft", 1), ("k", 0), ("k", 0)):
        press(browser, key)
        assert step(browser) == expected, key
    press(browser, "End")
    assert text(browser, ".instruction") == "The recording ends here"
    press(browser, "Home")
    assert step(browser) == 0
    press(browser, " ")
    browser.wait("return document.querySelector('.transport .count').innerText.startsWith('2 ')")
    press(browser, " ")
    stopped = step(browser)
    time.sleep(0.6)  # longer than a step takes
    assert step(browser) == stopped


IN_SIGHT = """
const isInside = (inner, outer) => inner.top >= outer.top - 1 && inner.bottom <= outer.bottom + 1;
return ['.lines .current', '.at-rsp'].map((selector) => document.querySelector(selector)).map(
    (row) => isInside(row.getBoundingClientRect(), row.closest('.scroll').getBoundingClientRect()));
"""


def test_line_and_slot_are_kept_in_sight(browser: Browser, page: Path) -> None:
    browser.prefer(motion="reduce")
    browser.open(page, HOME)
    browser.size("small")
    for number in (30, 0, 12, 60):
        browser.go(f"{HOME}{number}")
        assert browser.run(IN_SIGHT) == [True, True], number


def test_letters_can_be_switched_off(browser: Browser, page: Path) -> None:
    """WCAG 2.2, 2.1.4."""
    browser.open(page, HOME)
    click(browser, "#switch-keys")
    press(browser, "j")
    assert step(browser) == 0
    press(browser, "ArrowRight")
    assert step(browser) == 1


def test_every_state_has_a_link(browser: Browser, page: Path) -> None:
    browser.open(page, "#/trap/ud-ud2/7")
    assert step(browser) == 7 and "ud-ud2" in text(browser, ".trap-name")
    press(browser, "ArrowRight")
    assert address(browser) == "#/trap/ud-ud2/8"
    browser.open(page, "#/trap/ud-ud2/9/vs/pf-write-readonly")
    assert len(texts(browser, ".side")) == 2 and step(browser) == 9
    browser.open(page, "#/truth?find=ud-&what=differs&who=any")
    assert browser.run("return document.getElementById('truth-find').value") == "ud-"
    for tab in TABS:
        browser.go(f"#/{tab}")
        assert text(browser, "nav [aria-current]").lower() == tab
        assert text(browser, "h1")


# The address is written a moment after a key; here just when the page has gone elsewhere.
KEY_AND_GO = """
const later = window.setTimeout;
let write;
window.setTimeout = (run, _time, ...values) => { write = () => run(...values); };
document.body.dispatchEvent(new KeyboardEvent("keydown", {key: "ArrowRight", bubbles: true}));
window.setTimeout = later;
location.hash = "#/trap/pf-write-readonly/3";
write();
return settled();
"""


def test_a_link_followed_right_behind_a_key_is_gone_to(browser: Browser, page: Path) -> None:
    browser.visit(page, "#/trap/ud-ud2/7")
    browser.run(KEY_AND_GO)
    assert "pf-write-readonly" in text(browser, ".trap-name") and step(browser) == 3


BAD_LINKS = ("#/trap/no-such/3", "#/nowhere", "#/trap/%E0/1", "#/trap/ud-ud2/x")


@pytest.mark.parametrize("bad", BAD_LINKS)
def test_a_bad_link_is_answered(browser: Browser, page: Path, bad: str) -> None:
    browser.open(page, bad)
    if bad.endswith("x"):
        assert step(browser) == 0
    else:
        assert text(browser, "#problems") and text(browser, "main a")


def test_the_steps_of_two_recordings_align(
    browser: Browser, page: Path, recordings: dict[str, played.Json]
) -> None:
    """Each step of both is there once and in order; alike ones stand in one row."""
    left, right = recordings["pf-write-readonly"], recordings["ud-ud2"]
    browser.visit(page, "#/trap/pf-write-readonly/0/vs/ud-ud2")
    rows = browser.run(READ_ROWS)
    for side, recording in ((0, left), (1, right)):
        taken = [row[side] for row in rows if not row[2 + side]]
        due = [played.instruction(recording, k) for k in range(len(recording["steps"]))]
        assert taken == due
    alone = [row[0] for row in rows if row[3]]
    assert "push error code" in alone
    saved = [row for row in rows if row[0] == "push r15"]
    assert saved and all(row[1] == "push r15" and not row[2] and not row[3] for row in saved)


PUSHED = {"who": "trap_entry", "code": {"text": "push rax"}}
LEFT_BY = {name: {"who": "trap_entry", "code": {"text": name}} for name in ("iretd", "iretq")}


def test_what_is_repeated_aligns_with_its_first_time(browser: Browser) -> None:
    """One kernel traps again and again where the other returns; and one begins otherwise."""
    broken = {"steps": [PUSHED, LEFT_BY["iretd"]] * 3}
    sound = {"steps": [{"skipped": 3}, PUSHED, LEFT_BY["iretq"]]}
    script = modules.joined(pack.PAGE / "align.js") + "return align(...arguments)"
    assert browser.run(script, broken, sound)[:2] == [[-1, 0], [0, 1]]
    assert browser.run(script, sound, broken)[:2] == [[0, -1], [1, 0]]


# The page is hidden meanwhile, as only text is read.
READ_ROWS = """
const rows = [];
document.body.style.display = 'none';
const count = Number(document.querySelector('.scrubber').max);
for (let k = 0; k < count; k++) {
    const panels = [...document.querySelectorAll('.now')];
    rows.push([...panels.map((p) => p.querySelector('.instruction').textContent),
               ...panels.map((p) => p.classList.contains('waits'))]);
    document.body.dispatchEvent(new KeyboardEvent('keydown', { key: 'ArrowRight', bubbles: true }));
}
document.body.style.display = '';
return rows;
"""


HREFS = "return [...document.querySelectorAll('.why a')].map((a) => a.getAttribute('href'))"


def test_duties_light_up(browser: Browser, page: Path) -> None:
    """Each of the six can be gone to, is then lit, and has its reasons with two links."""
    browser.visit(page, HOME)
    names = texts(browser, ".lamp")
    assert len(names) == 6
    for number, name in enumerate(names):
        click(browser, f".lamp:nth-of-type({number + 1})")
        assert texts(browser, ".lamp.lit") == [name]
        assert text(browser, ".why strong").strip() == f"{name}."
        manual, bug = browser.run(HREFS)
        assert manual.startswith("https://")
        assert bug.split("/")[2] in {each.name for each in bugs()}


def decoded(browser: Browser, button: str, event: str = "focus") -> dict[str, str]:
    """What the hint of @button, an expression, says of the bits that are set."""
    browser.run(f"({button}).dispatchEvent(new Event('{event}'))")
    assert not browser.run("return document.getElementById('hint').hidden"), event
    names, words = texts(browser, "#hint .set dt"), texts(browser, "#hint .set dd")
    press(browser, "Escape")
    assert browser.run("return document.getElementById('hint').hidden")
    return dict(zip(names, words, strict=True))


def register(name: str) -> str:
    rows = "[...document.querySelectorAll('.register')]"
    is_it = f"(r) => r.querySelector('dt').textContent === '{name}'"
    return f"{rows}.find({is_it}).querySelector('.bits')"


def slot(name: str) -> str:
    rows = "[...document.querySelectorAll('.slot')]"
    is_it = f"(r) => r.querySelector('.name')?.textContent === '{name}'"
    return f"{rows}.find({is_it}).querySelector('.bits')"


def bits(prefix: str, value: int) -> set[str]:
    """The names of @value's bits, by kernel/cpu/x86.def."""
    named = {n.removeprefix(prefix): bit for n, bit in CONSTANTS.items() if n.startswith(prefix)}
    return {name for name, bit in named.items() if bit and value & bit == bit}


def test_bits_are_decoded_on_hover_and_focus(
    browser: Browser, page: Path, recordings: dict[str, played.Json]
) -> None:
    recording = recordings["pf-write-readonly"]
    browser.visit(page, f"{HOME}30")
    registers, _ = list(played.states(recording))[30]
    for event in ("mouseenter", "focus"):
        found = decoded(browser, register("rflags"), event)
        assert found.keys() == bits("RFLAGS_", int(registers["rflags"], 16))
    dr6 = bits("DR6_", int(registers["dr6"], 16)) - {"INIT"}
    assert decoded(browser, register("dr6")).keys() == dr6
    assert decoded(browser, slot("error code")).keys() == bits("PF_", int(recording["error"], 16))
    assert decoded(browser, slot("cs"))["name"] == "SELECTOR_KERNEL_CODE"
    assert decoded(browser, register("ss"))["index"].startswith(f"{int(registers['ss'], 16) >> 3},")


def test_a_gate_is_taken_apart(
    browser: Browser, page: Path, recordings: dict[str, played.Json]
) -> None:
    for name in ("pf-write-readonly", "df-int8", "bp-user"):
        recording = recordings[name]
        at = next(k for k, one in enumerate(recording["steps"]) if one.get("delivery") == "gate")
        stub = next(one for one in recording["steps"] if one.get("delivery") == "jump")["set"]
        browser.visit(page, f"#/trap/{name}/{at}")
        found = decoded(browser, "document.querySelector('.now .bits')")
        vector = VECTORS[recording["vector"]]
        assert found["offset"] == stub["rip"]
        assert found["IST"].startswith(f"{vector.ist}:")
        assert found["DPL"].startswith("3:" if vector.mnemonic == "BP" else "0:")
        assert "P" in found and "interrupt gate" in found["type"]


def test_choosing_a_trap(browser: Browser, page: Path, recordings: dict[str, played.Json]) -> None:
    browser.open(page, HOME)
    click(browser, "#choose")
    assert set(recordings) <= set(texts(browser, ".found .name"))
    fill(browser, "#picker-search", "ring 3")
    found = recordings.keys() & set(texts(browser, ".found .name"))
    assert found == {name for name, each in recordings.items() if each["ring"] == 3}
    fill(browser, "#picker-search", "")
    fill(browser, "#filter-vector", "14 PF")
    names = texts(browser, ".found .name")
    assert names and all(recordings[name]["vector"] == 14 for name in names)
    click(browser, ".found li button")
    assert address(browser) == f"#/trap/{names[0]}/0"
    click(browser, "#surprise")
    assert address(browser) != f"#/trap/{names[0]}/0"


def fill(browser: Browser, selector: str, value: str) -> None:
    browser.run("""
        const field = document.querySelector(arguments[0]);
        field.value = arguments[1];
        field.dispatchEvent(new Event('input', { bubbles: true }))""", selector, value)


def test_the_story(browser: Browser, page: Path) -> None:
    """It leads a first-time visitor, in six steps, and can be sent away and had again."""
    browser.open(page, "", visited=False)
    titles = []
    for number in range(6):
        assert text(browser, ".story-count").endswith(f"{number + 1} of 6")
        titles.append((text(browser, ".story h2"), step(browser)))
        click(browser, ".story .primary")
    assert len({title for title, _ in titles}) == 6
    assert [at for _, at in titles] == sorted({at for _, at in titles})
    assert not texts(browser, ".story")
    browser.driver.get("about:blank")
    browser.driver.get(page.as_uri())
    browser.wait(READY)
    assert not texts(browser, ".story"), "it comes once"
    browser.go("#/about")
    click(browser, ".tab-about .primary")
    assert texts(browser, ".story")
    browser.open(page, "#/trap/ud-ud2/3", visited=False)
    assert not texts(browser, ".story")


def test_themes_and_motion_follow_the_system_and_the_switches(browser: Browser, page: Path) -> None:
    browser.prefer(theme="dark", motion="reduce")
    browser.open(page, HOME)
    background = "return getComputedStyle(document.documentElement).backgroundColor"
    motion = "return getComputedStyle(document.querySelector('.played')).transitionDuration"
    dark = browser.run(background)
    assert browser.run(motion) == "0s"
    click(browser, "#switch-theme")
    click(browser, "#switch-motion")
    assert browser.run(background) != dark
    assert browser.run(motion) != "0s"


def test_nothing_is_wider_than_the_window(browser: Browser, page: Path) -> None:
    browser.visit(page, f"{HOME}30")
    for where in (f"{HOME}30", BESIDE, *(f"#/{tab}" for tab in TABS)):
        browser.go(where)
        for size in SIZES:
            browser.size(size)
            fits = browser.run("return document.documentElement.scrollWidth <= innerWidth")
            assert fits, f"{where}, {size}"


def test_print(browser: Browser, page: Path) -> None:
    """On paper nothing can be pressed, and no slot is cut off."""
    browser.visit(page, "#/trap/pf-write-readonly/30")
    browser.prefer(media="print")
    transport = "return getComputedStyle(document.querySelector('.transport')).display"
    assert browser.run(transport) == "none"
    wide = "return document.querySelector('.timeline').offsetWidth > innerWidth / 2"
    assert browser.run(wide)
    scroll = "const scroll = document.querySelector('.stack .scroll');"
    assert browser.run(f"{scroll} return scroll.scrollHeight <= scroll.clientHeight + 1")


AXE_RUN = """
const [rules, part, done] = arguments;
const words = (rule, node) => `${rule.id}: ${node.html.slice(0, 120)} ${node.failureSummary}`;
axe.run(part, { runOnly: rules, resultTypes: ['violations'] }).then(({ violations }) =>
    done(violations.flatMap((rule) => rule.nodes.map((node) => words(rule, node)))));
"""


def findings(browser: Browser, axe: str, rules: list[str], part: str = ":root") -> list[str]:
    if not browser.run("return 'axe' in window"):
        browser.driver.execute_script(axe)
    return browser.driver.execute_async_script(AXE_RUN, rules, part)


def findings_in_both(browser: Browser, axe: str, part: str = ":root") -> list[str]:
    """In light and in dark, which differs in its colours alone."""
    light = findings(browser, axe, AXE_TAGS, part)
    click(browser, "#switch-theme")
    dark = findings(browser, axe, ["color-contrast"], part)
    click(browser, "#switch-theme")
    return light + dark


# Two tabs show all of the dark theme's colours. The light one's elements are looked at everywhere.
def test_axe_finds_nothing(browser: Browser, page: Path, axe: str) -> None:
    browser.prefer(motion="reduce")
    browser.open(page, visited=False)
    assert findings_in_both(browser, axe) == [], "with the story"
    for where in (f"{HOME}30", BESIDE, "#/truth?find=ac-user", "#/stacks", "#/about"):
        browser.go(where)
        assert findings_in_both(browser, axe) == [], where
    for where in ("#/bugs", "#/cost", "#/vectors"):
        browser.go(where)
        assert findings(browser, axe, AXE_TAGS) == [], where
    browser.size("phone")
    browser.go(f"{HOME}12")
    browser.run("document.querySelector('.cpu .bits').focus()")
    assert findings_in_both(browser, axe) == [], "on a phone, with bits decoded"
    click(browser, "#choose")
    assert findings_in_both(browser, axe, "dialog") == [], "with the list of traps"


def test_axe_finds_what_cannot_be_read(browser: Browser, page: Path, axe: str) -> None:
    """Or else all that it says of the page is worth nothing."""
    browser.open(page, "#/about")
    browser.run("document.querySelector('h1').style.color = '#aaa'")
    [finding] = findings(browser, axe, AXE_TAGS)
    assert finding.startswith("color-contrast: <h1") and "#aaaaaa" in finding


def test_tabs_have_what_the_repository_has(browser: Browser, page: Path) -> None:
    browser.visit(page, "#/vectors")
    assert [int(n) for n in texts(browser, "tbody th")] == list(VECTORS)
    browser.go("#/bugs")
    assert sorted(texts(browser, ".bug h3")) == sorted(bug.name for bug in bugs())
    browser.go("#/stacks")
    chips = {chip.split()[0] for chip in texts(browser, ".stack-column:nth-child(2) .chips li")}
    assert chips == {str(v.number) for v in VECTORS.values() if v.ist == 1}


def test_the_table_of_truth_is_filtered(browser: Browser, page: Path) -> None:
    browser.visit(page, "#/truth")
    everything = len(texts(browser, ".truth tbody tr"))
    browser.go("#/truth?what=differs&who=qemu-7.2")
    differing = texts(browser, ".truth tbody tr td:nth-child(3)")
    assert 0 < len(differing) < everything
    record = (ROOT / "tests" / "truth" / "qemu-7.2.txt").read_text().splitlines()
    assert len(differing) == sum(": wrong" in line or ": unsafe" in line for line in record)


def test_pictures_are_kept(browser: Browser, page: Path) -> None:
    """For a look: a test sees what is there, and not whether it is beautiful."""
    files = shots.take(browser, page, BUILD / "explorer" / "shots")
    assert all(file.stat().st_size > SMALLEST for file in files)
