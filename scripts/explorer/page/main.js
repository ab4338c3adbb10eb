// The page comes to life: tabs, addresses, keys, and words for whatever goes wrong.

import { aboutTab } from "./about.js";
import { bugsTab } from "./bugs.js";
import { costTab } from "./cost.js";
import { chunk, load, Problem } from "./data.js";
import { setConstants } from "./decode.js";
import { el } from "./dom.js";
import { explorer } from "./explore.js";
import { findingsTab } from "./findings.js";
import { closeHint } from "./hint.js";
import { picker } from "./picker.js";
import { read, replace, trapAddress } from "./route.js";
import { hasLetters, kept, switches } from "./settings.js";
import { stacksTab } from "./stacks.js";
import { STORY, storyCard, storyPlace } from "./story.js";
import { truthTab } from "./truth.js";
import { vectorsTab } from "./vectors.js";

const TABS = {
    trap: "Explore",
    findings: "Findings",
    truth: "Truth",
    bugs: "Bugs",
    cost: "Cost",
    stacks: "Stacks",
    vectors: "Vectors",
    about: "About",
};

const main = document.getElementById("main");
const problems = document.getElementById("problems");
let wishes = 0; // counted, so that a slow answer to an older one is dropped

function tell(problem) {
    const text =
        problem instanceof Problem
            ? problem.message
            : `This page has a fault of its own: ${problem?.message ?? problem}`;
    problems.replaceChildren(
        el(
            "p",
            { class: "message" },
            text,
            el(
                "button",
                { type: "button", class: "plain", onclick: () => problems.replaceChildren() },
                "Dismiss",
            ),
        ),
    );
}

async function start() {
    document.getElementById("switches").append(...switches());
    const index = await chunk("index");
    setConstants(index.constants);
    document
        .getElementById("tabs")
        .append(
            ...index.tabs.map((tab) =>
                el(
                    "a",
                    { href: tab === "trap" ? "#/trap" : `#/${tab}`, "data-tab": tab },
                    TABS[tab],
                ),
            ),
        );
    const page = pageOf(index);
    addEventListener("hashchange", page.go);
    addEventListener("keydown", page.onKey);
    const isAtHome = /^#?\/?$/.test(location.hash);
    if (isAtHome && index.findings?.length) history.replaceState(null, "", "#/findings");
    await page.go();
    if (isAtHome && page.hasStory && !kept("story")) await page.story(0);
}

function pageOf(index) {
    const entries = index.recordings;
    const { element: dialog, open } = picker(entries);
    const play = explorer(entries, open);
    const hasStory = entries.some((entry) => entry.name === STORY);
    document.body.append(dialog);
    let card = null;

    const firstTrap = () => (entries.find((entry) => entry.name === STORY) ?? entries[0])?.name;
    const leaveStory = () => {
        card?.remove();
        card = null;
        play.element.classList.remove("told");
        document.documentElement.removeAttribute("data-look");
    };
    const story = async (chapter) => {
        leaveStory();
        if (chapter === null) return document.getElementById("choose")?.focus();
        const entry = entries.find((each) => each.name === STORY);
        if (!entry) throw new Problem(`The story is of ${STORY}, which is not recorded here.`);
        const recording = await load(entry);
        const { address, look } = storyPlace(recording, chapter);
        history.replaceState(null, "", address);
        await go(null, true);
        card = storyCard(recording, chapter, (next) => story(next).catch(tell));
        document.documentElement.dataset.look = look;
        play.element.classList.add("told");
        play.element.prepend(card);
        card.focus({ preventScroll: chapter === 0 });
    };
    const tabs = {
        truth: (route) => truthTab(route, entries),
        bugs: (route) => bugsTab(route, entries),
        cost: costTab,
        stacks: stacksTab,
        vectors: (route) => vectorsTab(route, entries),
        findings: () => findingsTab(index),
        about: () => aboutTab(index, hasStory ? () => story(0).catch(tell) : null),
    };
    const show = async (route, isWanted) => {
        if (route.tab === "trap") {
            const trap = route.trap ?? firstTrap();
            if (!trap) throw new Problem("This page has no recordings. `make explore` makes them.");
            if (!main.contains(play.element)) main.replaceChildren(play.element);
            return play.show({ ...route, trap }, isWanted);
        }
        play.leave();
        if (!index.tabs.includes(route.tab)) throw new Problem(`There is no part "${route.tab}" of this page.`);
        const parts = await tabs[route.tab](route);
        if (isWanted()) main.replaceChildren(el("div", { class: `tab tab-${route.tab}` }, parts));
    };
    const go = async (event, keepsStory = false) => {
        const route = read();
        const wish = ++wishes;
        const isWanted = () => wish === wishes;
        closeHint();
        problems.replaceChildren();
        if (!keepsStory) leaveStory();
        mark(route.tab);
        try {
            await show(route, isWanted);
        } catch (problem) {
            if (!isWanted()) return;
            play.leave();
            main.replaceChildren(
                el(
                    "p",
                    { class: "message" },
                    "There is nothing to show here. ",
                    el("a", { href: trapAddress(firstTrap() ?? "") }, "Go to the first recording"),
                    ".",
                ),
            );
            tell(problem);
        }
        if (isWanted()) replace(play.address() ?? location.hash);
        if (event && route.tab !== "trap") main.focus();
    };
    const onKey = (event) => {
        if (/^[a-z]$/.test(event.key) && !hasLetters()) return;
        play.onKey(event);
    };
    return { go, onKey, story, hasStory };
}

function mark(tab) {
    for (const link of document.querySelectorAll("#tabs a"))
        if (link.dataset.tab === tab) {
            link.setAttribute("aria-current", "page");
            link.scrollIntoView({ block: "nearest", inline: "center", behavior: "instant" });
        } else link.removeAttribute("aria-current");
    document.documentElement.dataset.tab = tab;
    document.title = `Barestub: ${TABS[tab] ?? tab}`;
}

addEventListener("error", (event) => tell(event.error ?? event.message));
addEventListener("unhandledrejection", (event) => tell(event.reason));
start()
    .catch((problem) => {
        main.replaceChildren(el("p", { class: "message" }, "There is nothing to show here."));
        tell(problem);
    })
    .finally(() => (document.documentElement.dataset.ready = "yes"));
