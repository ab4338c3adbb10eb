// The player: one recording, or two beside each other, at one step.

import { align, positions } from "./align.js";
import { companions } from "./beside.js";
import { chunk, has, load } from "./data.js";
import { errorCode } from "./decode.js";
import { el } from "./dom.js";
import { DUTIES } from "./duties.js";
import { decodable } from "./hint.js";
import { nowPanel } from "./now.js";
import { dutyOf, stateAt, words } from "./recording.js";
import { registersPanel } from "./registers.js";
import { replaceAtRest, trapAddress } from "./route.js";
import { sourcePanel } from "./source.js";
import { stackPanel, stackTitle } from "./stack.js";
import { timeline } from "./timeline.js";

const PACE = 420; // milliseconds a step

/** A player over the index's @entries; @pick(title, then) asks for another recording. */
export function explorer(entries, pick) {
    const byName = new Map(entries.map((entry) => [entry.name, entry]));
    const element = el("div", { class: "explore" });
    let player = null;
    let timer = 0;

    const address = (step) => trapAddress(player.name, step, player.vs);
    const seek = (step) => {
        player.step = Math.max(0, Math.min(step, player.line.count));
        replaceAtRest(address(player.step));
        player.update();
    };
    const pause = () => {
        if (!timer) return;
        clearInterval(timer);
        timer = 0;
        player.showPlaying(false);
    };
    const advance = () => (player.step >= player.line.count ? pause() : seek(player.step + 1));
    const togglePlay = () => {
        if (timer) return pause();
        if (player.step >= player.line.count) seek(0);
        timer = setInterval(advance, PACE);
        player.showPlaying(true);
    };
    const move = (step) => {
        pause();
        seek(step);
        document.getElementById("said").textContent = player.says();
    };

    const KEYS = {
        ArrowRight: () => move(player.step + 1),
        ArrowLeft: () => move(player.step - 1),
        j: () => move(player.step + 1),
        k: () => move(player.step - 1),
        Home: () => move(0),
        End: () => move(player.line.count),
        " ": togglePlay,
    };
    const onKey = (event) => {
        if (!player || event.ctrlKey || event.metaKey || event.altKey) return;
        const { target } = event;
        if (target.closest("dialog, select, input:not(.scrubber)")) return;
        if (event.key === " " && target.closest("button, a, summary")) return;
        if (!KEYS[event.key]) return;
        event.preventDefault();
        KEYS[event.key]();
    };

    /** Show the recording of @route, if it still isWanted() when it is loaded. Throws a Problem. */
    const show = async (route, isWanted) => {
        if (player?.name === route.trap && player.vs === route.vs) return seek(route.step);
        pause();
        const sides = await Promise.all(
            [route.trap, route.vs]
                .filter(Boolean)
                .map((name) => side(find(name), byName, Boolean(route.vs))),
        );
        if (!isWanted()) return;
        player = assemble(route, sides, { entries, pick, seek: move, togglePlay });
        element.classList.toggle("both", sides.length === 2);
        element.replaceChildren(...player.parts);
        seek(route.step);
    };
    const find = (name) =>
        byName.get(name) ?? { name, problem: `there is no such recording. ${near(name, entries)}` };
    const leave = () => {
        pause();
        player = null;
    };
    return { element, show, leave, onKey, address: () => player && address(player.step) };
}

function near(name, entries) {
    const start = name.split("-")[0];
    const found = entries.filter((entry) => entry.name.startsWith(start)).slice(0, 5);
    return found.length
        ? `There is ${found.map((entry) => entry.name).join(", ")}.`
        : "The list of traps has all there are.";
}

/** The panels of one recording, which stands beside another one or has all the room. */
async function side(entry, byName, isBeside) {
    const [recording, sources] = await Promise.all([
        load(entry),
        has("sources") ? chunk("sources") : { files: {}, patched: {} },
    ]);
    const bugAddress = (bug) =>
        byName.has(bug) ? trapAddress(bug, 0, byName.get(bug).healthy) : `#/bugs/${bug}`;
    const panels = [
        nowPanel(recording, bugAddress),
        sourcePanel(recording, sources.files, sources.patched[entry.name]),
        stackPanel(recording),
        registersPanel(isBeside),
    ];
    const update = (k) => {
        const state = stateAt(recording, k);
        for (const panel of panels) panel.update(k, state);
    };
    const follow = () => panels.forEach((panel) => panel.follow?.());
    return { entry, recording, panels, update, follow };
}

function assemble(route, sides, { entries, pick, seek, togglePlay }) {
    const rows = sides.length === 2 ? align(sides[0].recording, sides[1].recording) : null;
    const steps = rows
        ? sides.map((each, s) => rows.map((row) => each.recording.steps[row[s]] ?? null))
        : [sides[0].recording.steps];
    const actors = sides.map((each) => each.recording.actors);
    const line = timeline(steps, actors, seek);
    const lamps = dutyLamps(steps, seek, () => player.step);
    const transport = transportOf(() => player, seek, togglePlay);
    const player = {
        name: route.trap,
        vs: route.vs,
        step: 0,
        sides,
        line,
        showPlaying: transport.showPlaying,
        says: () =>
            `Step ${player.step} of ${line.count}: ${words(steps.map((list) => list[player.step]).find(Boolean))}`,
        update: () => {
            const at = rows ? positions(rows, player.step) : [player.step];
            sides.forEach((each, s) => each.update(at[s]));
            if (rows) showGaps(sides, rows[player.step]);
            line.update(player.step);
            lamps.update(steps.map((list) => list[player.step]));
            transport.update();
            // All is written before anything is measured: a step is laid out once.
            sides.forEach((each) => each.follow());
        },
    };
    player.parts = [
        trapBar(route, sides, entries, pick),
        el("div", { class: "controls" }, transport.element, line.element),
        lamps.element,
        el(
            "div",
            { class: "sides" },
            sides.map((each, s) => sideElement(each, s, sides.length)),
        ),
    ];
    return player;
}

function sideElement(each, s, count) {
    const [now, source, stack, registers] = each.panels.map((panel) => panel.element);
    const title =
        count === 2
            ? el(
                  "h2",
                  { class: "side-title" },
                  `${"AB"[s]}. ${each.entry.name}`,
                  el("span", {}, each.entry.summary),
              )
            : el("h2", { class: "unseen" }, "Step by step");
    return el(
        "div",
        { class: "side" },
        title,
        el("div", { class: "code" }, now, source, registers),
        stack,
    );
}

/** Where only one of the two goes on, the other waits. */
function showGaps(sides, row) {
    sides.forEach((each, s) =>
        each.panels[0].element.classList.toggle("waits", Boolean(row) && row[s] < 0),
    );
}

function trapBar(route, sides, entries, pick) {
    const { entry } = sides[0];
    const address = (name) => (location.hash = trapAddress(name));
    const beside = (name) => (location.hash = trapAddress(route.trap, 0, name));
    const facts = [
        entry.vector === undefined ? null : `vector ${entry.vector}`,
        entry.class?.toLowerCase().replaceAll("_", " "),
        entry.ring === undefined ? null : `ring ${entry.ring}`,
        entry.error === null || entry.error === undefined
            ? "no error code"
            : [
                  "error code ",
                  decodable(`0x${entry.error}`, `Error code of #${entry.mnemonic}`, () =>
                      errorCode(entry.mnemonic, entry.error),
                  ),
              ],
        entry.stack ? stackTitle(entry.stack) : null,
    ];
    return el(
        "div",
        { class: "trap-bar" },
        el(
            "div",
            { class: "trap-title" },
            el(
                "h1",
                {},
                el(
                    "span",
                    { class: "mnemonic" },
                    entry.mnemonic && entry.vector < 32 ? `#${entry.mnemonic}` : "",
                ),
                ` ${entry.title ?? entry.name}`,
            ),
            el(
                "p",
                { class: "trap-name" },
                el("span", { class: "mono" }, entry.name),
                entry.summary ? `: ${entry.summary}` : "",
            ),
        ),
        el(
            "ul",
            { class: "facts", "aria-label": "About this trap" },
            facts.filter(Boolean).map((fact) => el("li", {}, fact)),
        ),
        el(
            "div",
            { class: "choices" },
            el(
                "button",
                {
                    type: "button",
                    class: "primary",
                    id: "choose",
                    onclick: () => pick("Choose a trap", address),
                },
                "Choose a trap",
            ),
            compareSelect(route, entry, entries, pick, beside),
            el(
                "button",
                { type: "button", id: "surprise", onclick: () => address(random(entries, entry)) },
                "Surprise me",
            ),
        ),
    );
}

function random(entries, entry) {
    const others = entries.filter(
        (other) => /fault|foreign/.test(other.group) && other !== entry && !other.problem,
    );
    return (others[Math.floor(Math.random() * others.length)] ?? entry).name;
}

function compareSelect(route, entry, entries, pick, beside) {
    const lists = companions(entry, entries);
    const known = Object.values(lists)
        .flat()
        .some((other) => other.name === route.vs);
    const option = (name) => el("option", { value: name, selected: name === route.vs }, name);
    const select = el(
        "select",
        { id: "beside" },
        el("option", { value: "" }, "nothing"),
        route.vs && !known ? option(route.vs) : "",
        Object.entries(lists).map(([label, found]) =>
            el(
                "optgroup",
                { label },
                found.map((other) => option(other.name)),
            ),
        ),
        el("option", { value: "another" }, "another trap …"),
    );
    select.addEventListener("change", () => {
        const { value } = select;
        select.value = route.vs ?? "";
        if (value === "another") pick("Compare with", beside);
        else beside(value || null);
    });
    return el("label", { class: "beside" }, el("span", {}, "Beside"), select);
}

function transportOf(player, seek, togglePlay) {
    const button = (label, sign, action) =>
        el("button", { type: "button", "aria-label": label, title: label, onclick: action }, sign);
    const play = button("Play", icon("play"), togglePlay);
    const count = el("span", { class: "count mono" });
    const element = el(
        "div",
        { class: "transport", role: "group", "aria-label": "Player" },
        button("First step", icon("first"), () => seek(0)),
        button("Step back", icon("back"), () => seek(player().step - 1)),
        play,
        button("Step", icon("step"), () => seek(player().step + 1)),
        button("Last step", icon("last"), () => seek(player().line.count)),
        count,
    );
    const showPlaying = (isPlaying) => {
        play.setAttribute("aria-label", isPlaying ? "Pause" : "Play");
        play.title = isPlaying ? "Pause" : "Play";
        play.replaceChildren(icon(isPlaying ? "pause" : "play"));
    };
    const update = () => (count.textContent = `${player().step} / ${player().line.count}`);
    return { element, showPlaying, update };
}

const ICONS = {
    first: "M4 3v10M13 3 6.5 8 13 13z",
    back: "M11.5 3 5 8l6.5 5z",
    play: "M4.5 2.5v11L13 8z",
    pause: "M5 3v10M11 3v10",
    step: "M4.5 3 11 8l-6.5 5z",
    last: "M12 3v10M3 3l6.5 5L3 13z",
};

function icon(name) {
    const template = document.createElement("template");
    template.innerHTML = `<svg viewBox="0 0 16 16" aria-hidden="true" class="icon"><path d="${ICONS[name]}"/></svg>`;
    return template.content.firstChild;
}

/** A lamp for each hidden duty: lit while it is done, and a way to where it is done next. */
function dutyLamps(steps, seek, at) {
    const does = (k, duty) => steps.some((list) => list[k] && dutyOf(list[k]) === duty);
    const lamps = Object.entries(DUTIES).map(([duty, { title }]) => {
        const starts = [...steps[0].keys()].filter((k) => does(k, duty) && !does(k - 1, duty));
        const next = () => seek(starts.find((k) => k > at()) ?? starts[0]);
        const button = el(
            "button",
            { type: "button", class: "lamp", disabled: starts.length === 0, onclick: next },
            title,
        );
        return { duty, button };
    });
    const element = el(
        "div",
        { class: "lamps", role: "group", "aria-label": "Hidden duties" },
        el("span", { class: "label" }, "Hidden duties"),
        lamps.map(({ button }) => button),
    );
    const update = (current) => {
        for (const { duty, button } of lamps) {
            const isLit = current.some((step) => step && dutyOf(step) === duty);
            button.classList.toggle("lit", isLit);
            if (isLit) button.setAttribute("aria-current", "step");
            else button.removeAttribute("aria-current");
        }
    };
    return { element, update };
}
