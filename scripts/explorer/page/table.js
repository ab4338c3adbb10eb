// A table with a search over it, as several tabs have one.

import { el } from "./dom.js";

/** @columns are titles; @rows have cells (text or elements) and the text that is searched. */
export function table(caption, columns, rows, className = "") {
    return el(
        "div",
        { class: "table-box scroll", tabindex: 0, role: "region", "aria-label": caption },
        el(
            "table",
            { class: `data ${className}`.trim() },
            el("caption", { class: "unseen" }, caption),
            el(
                "thead",
                {},
                el(
                    "tr",
                    {},
                    columns.map((title) => el("th", { scope: "col" }, title)),
                ),
            ),
            el(
                "tbody",
                {},
                rows.map((cells) =>
                    el(
                        "tr",
                        {},
                        cells.map(([first, ...rest], i) =>
                            i === 0
                                ? el("th", { scope: "row" }, first, ...rest)
                                : el("td", {}, first, ...rest),
                        ),
                    ),
                ),
            ),
        ),
    );
}

/** A labelled <select> of @options, [value, text] each. */
export function choice(id, label, options, value, change) {
    const select = el(
        "select",
        { id },
        options.map(([key, text]) => el("option", { value: key, selected: key === value }, text)),
    );
    select.addEventListener("change", () => change(select.value));
    return el("label", {}, el("span", {}, label), select);
}

/** A labelled search field. */
export function searchField(id, label, value, change) {
    const input = el("input", { type: "search", id, value, autocomplete: "off" });
    input.addEventListener("input", () => change(input.value));
    return el("label", {}, el("span", {}, label), input);
}

/** A tab's heading with what it is. */
export function heading(title, ...text) {
    return el(
        "div",
        { class: "tab-head" },
        el("h1", {}, title),
        el("p", { class: "lead" }, ...text),
    );
}
