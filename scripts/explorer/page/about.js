// What this page is, and how its recordings were made.

import { el } from "./dom.js";
import { heading } from "./table.js";

const KEYS = {
    "→ or j": "one step on",
    "← or k": "one step back",
    Space: "play, and pause",
    "Home, End": "to the first, to the last step",
    Escape: "close a hint or a list",
};

/** How the recordings of @index were made. */
function how(index) {
    const cases = (group) => index.recordings.filter((entry) => entry.group === group);
    const count = (group) => cases(group).filter((entry) => !entry.problem).length;
    const steps = index.recordings.reduce((sum, entry) => sum + (entry.length ?? 0), 0);
    const words = steps.toLocaleString("en");
    if (index.findings)
        return `Each stub was run in stublint’s emulator, from the state in which the CPU delivers its vector: ${count("foreign")} runs, ${words} steps. The kernel itself was not booted, C was not run, and the program’s registers hold made-up values, so that each is known wherever it turns up.`;
    return `Each trap was raised in the running kernel and single-stepped: ${count("fault")} of the catalogue’s ${cases("fault").length} cases, ${count("bug")} broken kernels, ${words} steps. What the page shows of a step was read from the machine at that step. Of the other cases nothing comes on this machine, or it cannot do them.`;
}

/** The tab; @startStory is null where there is no story. */
export function aboutTab(index, startStory) {
    return [
        heading(
            "About",
            "How does a CPU interrupt become a C function call, and how does the interrupted program then go on with every register as it was? Barestub is an x86-64 kernel that does just that, by hand and in the open.",
        ),
        el(
            "div",
            { class: "columns" },
            el(
                "section",
                {},
                el("h2", {}, "Nothing here is drawn by hand"),
                el("p", {}, how(index)),
                el("p", {}, `Recorded with ${index.machine}, of ${index.kernel}.`),
                el(
                    "p",
                    {},
                    el("code", {}, index.findings ? "make explore ELF=KERNEL" : "make explore"),
                    " records all of it anew and writes this page, one file that needs no network.",
                ),
                startStory
                    ? el(
                          "button",
                          { type: "button", class: "primary", onclick: startStory },
                          "The story of one page fault",
                      )
                    : "",
            ),
            el(
                "section",
                {},
                el("h2", {}, "Keys"),
                el(
                    "dl",
                    { class: "keys" },
                    Object.entries(KEYS).map(([key, does]) =>
                        el("div", {}, el("dt", {}, key), el("dd", {}, does)),
                    ),
                ),
                el(
                    "p",
                    { class: "sub" },
                    "The letters can be switched off above, for those whose speech or switch device types them.",
                ),
            ),
            el(
                "section",
                {},
                el("h2", {}, "The words"),
                el(
                    "p",
                    {},
                    "“SDM” is Intel’s Software Developer’s Manual, numbered as up to 2022; “ABI” is the System V ABI for x86-64. A gate is an entry of the IDT, a stub the first code behind it, the frame what the CPU pushed.",
                ),
                el("p", {}, "Barestub is under the MIT license."),
            ),
        ),
    ];
}
