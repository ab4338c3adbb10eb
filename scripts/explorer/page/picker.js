// Choosing a trap: a search and a few filters over all that is recorded.

import { el } from "./dom.js";

const GROUPS = {
    fault: "the catalogue",
    bug: "the bug museum",
    compiler: "compilers",
    foreign: "another kernel",
};

const FILTERS = {
    class: { label: "Class", of: (entry) => entry.class?.toLowerCase().replaceAll("_", " ") },
    vector: {
        label: "Vector",
        of: (entry) =>
            entry.vector === undefined
                ? undefined
                : `${entry.vector} ${entry.mnemonic ?? ""}`.trim(),
    },
    error: {
        label: "Error code",
        of: (entry) =>
            entry.error === null || entry.error === undefined ? "none" : `0x${entry.error}`,
    },
    ring: {
        label: "Ring",
        of: (entry) => (entry.ring === undefined ? undefined : `ring ${entry.ring}`),
    },
    stack: { label: "Stack", of: (entry) => entry.stack },
    group: { label: "From", of: (entry) => GROUPS[entry.group] ?? entry.group },
};

/** The dialog over @entries; open(title, chosen) shows it and calls chosen(name). */
export function picker(entries) {
    let chosen = null;
    const heading = el("h2", { id: "picker-title" });
    const search = el("input", {
        type: "search",
        id: "picker-search",
        placeholder: "pf write, iret, ring 3 …",
        autocomplete: "off",
    });
    const selects = Object.entries(FILTERS).map(([key, { label, of }]) =>
        filter(key, label, values(entries, of)),
    );
    const count = el("p", { class: "count", role: "status" });
    const list = el("ul", { class: "found" });
    const dialog = el(
        "dialog",
        { class: "picker", "aria-labelledby": "picker-title" },
        el(
            "div",
            { class: "picker-head" },
            heading,
            el(
                "button",
                { type: "button", class: "plain", onclick: () => dialog.close() },
                "Close",
            ),
        ),
        el("label", { class: "unseen", for: "picker-search" }, "Search"),
        search,
        el(
            "div",
            { class: "filters" },
            selects.map(({ element }) => element),
        ),
        count,
        el("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": "Traps" }, list),
    );
    const refresh = () => {
        const found = entries.filter(
            (entry) =>
                matches(entry, search.value) && selects.every((select) => select.accepts(entry)),
        );
        count.textContent = `${found.length} of ${entries.length}`;
        list.replaceChildren(...found.map((entry) => row(entry, choose)));
    };
    const choose = (name) => {
        dialog.close();
        chosen?.(name);
    };
    dialog.addEventListener("input", refresh);
    dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
    search.addEventListener("keydown", (event) => {
        if (event.key === "Enter") list.querySelector("button")?.click();
    });
    const open = (title, then) => {
        chosen = then;
        heading.textContent = title;
        refresh();
        dialog.showModal();
        search.focus();
        search.select();
    };
    return { element: dialog, open };
}

function values(entries, of) {
    const all = [...new Set(entries.map(of).filter((value) => value !== undefined))];
    return all.sort((a, b) => String(a).localeCompare(String(b), "en", { numeric: true }));
}

function filter(key, label, all) {
    const select = el(
        "select",
        { id: `filter-${key}` },
        el("option", { value: "" }, "all"),
        all.map((value) => el("option", {}, value)),
    );
    const element = el("label", {}, el("span", {}, label), select);
    return {
        element,
        accepts: (entry) => select.value === "" || FILTERS[key].of(entry) === select.value,
    };
}

/** Whether each word of @search is somewhere in @entry. */
function matches(entry, search) {
    const { name, summary, mnemonic, title, vector, ring, stack } = entry;
    const text = together(
        `${name} ${summary} #${mnemonic} ${title} vector ${vector}. ring ${ring}. ${stack}.`,
    );
    return together(search)
        .split(/\s+/)
        .every((word) => text.includes(word));
}

/** @text in small letters, with "ring 3" as one word. */
function together(text) {
    return text.toLowerCase().replace(/\b(ring|vector|ist) (\d+)/g, "$1$2");
}

function row(entry, choose) {
    const facts = entry.problem
        ? "cannot be played"
        : `${entry.mnemonic ? `#${entry.mnemonic}` : ""} ring ${entry.ring}${entry.error ? ` code ${entry.error}` : ""}`;
    return el(
        "li",
        {},
        el(
            "button",
            { type: "button", onclick: () => choose(entry.name) },
            el("span", { class: "name" }, entry.name),
            el("span", { class: "summary" }, entry.summary ?? ""),
            el("span", { class: "facts" }, facts),
        ),
    );
}
