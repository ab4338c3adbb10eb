// The table of truth: who does what the manuals say, and since which version.

import { chunk } from "./data.js";
import { el, unseen } from "./dom.js";
import { replace, trapAddress } from "./route.js";
import { choice, heading, searchField, table } from "./table.js";

const DIFFERS = ["wrong", "unsafe"];

/** The tab; its filters are in the address. */
export async function truthTab(route, entries) {
    const truth = await chunk("truth");
    const played = new Set(entries.map((entry) => entry.name));
    const state = {
        who: route.query.get("who") ?? "any",
        find: route.query.get("find") ?? "",
        what: route.query.get("what") ?? "all",
    };
    const result = el("div");
    const refresh = () => {
        const query = new URLSearchParams(state);
        replace(`#/truth?${query}`);
        const rows = truth.cases.filter((row) => isShown(row, state, truth.machines));
        const title = `${rows.length} of ${truth.cases.length} cases`;
        result.replaceChildren(
            el("p", { class: "count", role: "status" }, title),
            table(
                "Cases",
                ["Case", "Due", ...truth.machines.map(({ title: name }) => name), "Since"],
                rows.map((row) => cells(row, truth.machines, played)),
                "truth",
            ),
        );
    };
    const set = (key) => (value) => {
        state[key] = value;
        refresh();
    };
    const machines = truth.machines.map(({ id, title }) => [id, title]);
    const filters = el(
        "div",
        { class: "filters" },
        searchField("truth-find", "Find", state.find, set("find")),
        choice(
            "truth-what",
            "Show",
            [
                ["all", "all cases"],
                ["differs", "where it deviates"],
                ["right", "where it is right"],
                ["not run", "what cannot be run there"],
            ],
            state.what,
            set("what"),
        ),
        choice("truth-who", "On", [["any", "any machine"], ...machines], state.who, set("who")),
    );
    refresh();
    return [
        heading(
            "Truth",
            "What the Intel and AMD manuals want of each case, and what came when it was raised on each machine. Every cell was measured; ",
            el("code", {}, "make truth"),
            " measures yours.",
        ),
        filters,
        result,
    ];
}

function isShown(row, { who, find, what }, machines) {
    const text = `${row.case} ${row.summary} ${row.due}`.toLowerCase();
    if (
        !find
            .toLowerCase()
            .split(/\s+/)
            .every((word) => text.includes(word))
    )
        return false;
    if (what === "all") return true;
    const verdicts = machines
        .filter(({ id }) => who === "any" || id === who)
        .map(({ id }) => row.results[id]?.[0]);
    if (what === "differs") return verdicts.some((verdict) => DIFFERS.includes(verdict));
    if (what === "right") return verdicts.every((verdict) => verdict === "right");
    return verdicts.some((verdict) => verdict === what);
}

function cells(row, machines, played) {
    const name = played.has(row.case)
        ? el("a", { href: trapAddress(row.case) }, row.case)
        : row.case;
    return [
        [name, el("span", { class: "sub" }, row.summary)],
        [row.due],
        ...machines.map(({ id }) => [verdict(row.results[id])]),
        [since(row, machines)],
    ];
}

function verdict(result) {
    const [word, text] = result ?? ["", ""];
    if (word === "right") return el("span", { class: "right" }, "✓", unseen(" right"));
    if (word === "wrong") return el("strong", { class: "wrong" }, text);
    if (word === "unsafe") return el("strong", { class: "wrong" }, "unsafe");
    if (word === "not run")
        return el("span", { class: "not-run", title: text }, "–", unseen(` not run: ${text}`));
    return el("span", { class: "not-run" }, "?", unseen(" not measured"));
}

/** From which version on each family does as it does now, where its versions differ. */
function since(row, machines) {
    const families = Map.groupBy(
        machines.filter(({ versions }) => versions),
        ({ family }) => family,
    );
    const said = [...families].map(([family, members]) => {
        const known = members.filter(({ id }) =>
            ["right", ...DIFFERS].includes(row.results[id]?.[0]),
        );
        const kinds = known.map(({ id }) =>
            row.results[id][0] === "right" ? "right" : "deviates",
        );
        const last = kinds.at(-1);
        const change = kinds.lastIndexOf(last === "right" ? "deviates" : "right");
        if (change >= 0) return `${family} ${last} since ${known[change + 1].version}`;
        return last === "deviates" ? `${family} deviates in all` : null;
    });
    return said.filter(Boolean).join("; ");
}
