// The step that is next, in words; and the hidden duty that it serves.

import { gate } from "./decode.js";
import { el } from "./dom.js";
import { DUTIES, manualLink, why } from "./duties.js";
import { toldRows } from "./findings.js";
import { decodable } from "./hint.js";
import { actor, deliveryStart, dutyOf } from "./recording.js";

const ACTORS = {
    CPU: "The CPU",
    program: "The program",
    stub: "The stub",
    trap_entry: "trap_entry",
    C: "C",
};

/** A panel for @recording; @bugAddress(name) is where the bug of a duty is to be seen. */
export function nowPanel(recording, bugAddress) {
    const element = el("section", {
        class: "panel now",
        "aria-label": `This step of ${recording.name}`,
    });
    const update = (k) => {
        const step = recording.steps[k];
        const duty = step ? dutyOf(step) : null;
        element.dataset.who = step ? actor(step) : "end";
        element.replaceChildren(
            ...(step ? describe(step, k, recording) : ending(recording)),
            ...(duty in DUTIES ? dutyText(duty, recording, bugAddress) : []),
        );
    };
    return { element, update };
}

function describe(step, k, recording) {
    const name = actorName(actor(step), recording);
    const finding = (step.finding ?? []).map(foundHere);
    if ("delivery" in step)
        return [
            head(name, `delivery, step ${k - deliveryStart(recording, k) + 1}`, step.delivery),
            el("p", {}, step.says, step.reads ? [" ", reads(step.reads)] : ""),
            ...finding,
        ];
    if ("skipped" in step)
        return [
            head(name, step.skipped ? `${step.skipped.toLocaleString("en")} instructions` : "", "C runs"),
            el("p", {}, step.says),
            ...finding,
        ];
    const { symbol, file, line, bytes, text } = step.code ?? {};
    return [
        head(name, symbol, text),
        el(
            "p",
            { class: "place" },
            `${file ? `${file}:${line}` : ""}`,
            el("span", { class: "bytes" }, spaced(bytes ?? "")),
        ),
        ...finding,
    ];
}

/** @who, by the name that this kernel has for it. */
function actorName(who, recording) {
    return recording.actors?.[who] ?? ACTORS[who];
}

/** What stublint says of this step. */
function foundHere({ rule, severity, seen, due, fix, manual }) {
    return el(
        "div",
        { class: "finding", "data-severity": severity },
        el("p", {}, el("strong", {}, `${severity} ${rule}`)),
        el("dl", { class: "told-rows" }, toldRows({ seen, due, fix, manual })),
    );
}

function head(name, where, text) {
    return el(
        "p",
        { class: "now-head" },
        el("span", { class: "actor" }, name),
        el("span", { class: "symbol" }, where ?? ""),
        el("span", { class: "instruction" }, text ?? ""),
    );
}

function ending(recording) {
    return [
        head("", "", "The recording ends here"),
        el(
            "p",
            {},
            recording.note ??
                `This is the first instruction after the return. ${recording.expects ?? ""}`,
        ),
    ];
}

/** What the CPU read; a gate can be taken apart. */
function reads(text) {
    const halves = /([0-9a-f]{16}) ([0-9a-f]{16})/.exec(text);
    if (!halves) return el("span", { class: "mono" }, text);
    const before = text.slice(0, halves.index);
    return el(
        "span",
        { class: "mono" },
        before,
        decodable(halves[0], "A gate of the IDT", () => gate(halves[1], halves[2])),
        text.slice(halves.index + halves[0].length),
    );
}

function spaced(bytes) {
    return bytes.replace(/../g, "$& ").trim();
}

/** Why; of another kernel, what holds for any. */
function dutyText(duty, recording, bugAddress) {
    const { bug } = DUTIES[duty];
    const isOurs = recording.group !== "foreign";
    return [
        el(
            "p",
            { class: "why" },
            el("strong", {}, `${DUTIES[duty].title}. `),
            why(duty, isOurs),
            " ",
            el(
                "span",
                { class: "links" },
                manualLink(duty),
                isOurs ? el("a", { href: bugAddress(bug) }, `what if not: ${bug}`) : "",
            ),
        ),
    ];
}
