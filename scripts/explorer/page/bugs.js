// The bug museum: the classic mistakes, grouped by the duty that they neglect.

import { chunk } from "./data.js";
import { el, prose } from "./dom.js";
import { trapAddress } from "./route.js";
import { heading } from "./table.js";

export async function bugsTab(route, entries) {
    const { groups, bugs } = await chunk("bugs");
    const played = new Map(
        entries.filter((entry) => entry.group === "bug").map((entry) => [entry.name, entry]),
    );
    const parts = Object.entries(groups).map(([group, title]) => [
        el("h2", {}, title),
        el(
            "div",
            { class: "bugs" },
            bugs
                .filter((bug) => bug.group === group)
                .map((bug) => card(bug, played.get(bug.name), route.item)),
        ),
    ]);
    return [
        heading(
            "Bugs",
            `${bugs.length} classic mistakes of the interrupt path. Each is a patch in tests/bugs/ that the tests must find; `,
            el("code", {}, "make break BUG=NAME"),
            " boots the kernel with it.",
        ),
        ...parts.flat(),
    ];
}

function card(bug, entry, item) {
    const element = el(
        "article",
        { class: "bug", id: `bug-${bug.name}`, tabindex: -1 },
        el("h3", {}, bug.name),
        el("p", { class: "mistake-text" }, capital(bug.mistake), "."),
        el("p", {}, prose(bug.machine)),
        el("p", { class: "sub" }, prose(bug.duty)),
        el(
            "details",
            { open: bug.name === item },
            el("summary", {}, "The mistake"),
            el(
                "pre",
                {
                    class: "diff scroll",
                    tabindex: 0,
                    role: "region",
                    "aria-label": `The mistake of ${bug.name}`,
                },
                bug.diff.split("\n").map(diffLine),
            ),
        ),
        entry
            ? el(
                  "a",
                  { class: "button", href: trapAddress(bug.name, 0, entry.healthy) },
                  "Play it beside the healthy kernel",
              )
            : el("p", { class: "sub mono" }, `make break BUG=${bug.name}`),
    );
    if (bug.name === item)
        requestAnimationFrame(() => {
            element.scrollIntoView();
            element.focus();
        });
    return element;
}

function capital(text) {
    return text[0].toUpperCase() + text.slice(1);
}

function diffLine(line) {
    const kind = { "+": "added", "-": "removed", "@": "place" }[line[0]] ?? "";
    return el("span", { class: kind }, `${line}\n`);
}
