// The scrubber: the whole recording as a band of chapters, and below it where the duties lie.

import { el } from "./dom.js";
import { DUTIES } from "./duties.js";
import { isMistake } from "./findings.js";
import { chapters, dutyOf, words } from "./recording.js";

/**
 * A band for each of @sides: lists of steps and gaps of one length, whose @actors have names of their
 * own. seek(step) goes to one.
 */
export function timeline(sides, actors, seek) {
    const count = sides[0].length;
    const range = el("input", {
        type: "range",
        class: "scrubber",
        min: 0,
        max: count,
        value: 0,
        "aria-label": "Step",
        oninput: () => seek(Number(range.value)),
    });
    const played = el("div", { class: "played" });
    const element = el(
        "div",
        { class: "timeline" },
        el(
            "div",
            { class: "bands", "aria-hidden": "true" },
            sides.map((steps, s) => [band(steps, actors[s]), dutyBand(steps)]),
        ),
        range,
        played,
    );
    const update = (k) => {
        range.value = k;
        const step = sides.map((steps) => steps[k]).find(Boolean);
        range.setAttribute("aria-valuetext", `step ${k} of ${count}: ${words(step)}`);
        played.style.left = `calc(${(k / count) * 100}% - 1px)`;
    };
    return { element, range, update, count };
}

function band(steps, actors) {
    const runs = chapters(steps, actors).map((run) =>
        el(
            "span",
            {
                class: "chapter",
                "data-who": run.who ?? "gap",
                style: `flex-grow: ${run.length}`,
                title: run.title,
            },
            el("span", { class: "long" }, run.title),
            el("span", { class: "short" }, run.short),
        ),
    );
    const found = [...steps.keys()].filter((k) => steps[k]?.finding);
    const marks = found.map((k) =>
        el("span", {
            class: "found-mark",
            "data-severity": worst(steps[k].finding),
            style: `left: ${((k + 0.5) / steps.length) * 100}%`,
        }),
    );
    return el("div", { class: "band" }, runs, marks);
}

function worst(findings) {
    return (findings.find(isMistake) ?? findings[0]).severity;
}

function dutyBand(steps) {
    const runs = [];
    for (const step of steps) {
        const duty = (step && dutyOf(step)) ?? null;
        if (runs.at(-1)?.duty === duty) runs.at(-1).length++;
        else runs.push({ duty, length: 1 });
    }
    const marks = runs.map(({ duty, length }) =>
        el("span", {
            class: duty in DUTIES ? "mark" : "",
            style: `flex-grow: ${length}`,
            title: DUTIES[duty]?.title ?? "",
        }),
    );
    return el("div", { class: "duty-band" }, marks);
}
