// The registers before the step, with what the last step has changed.

import { dr6, rflags, rflagsLine, selector } from "./decode.js";
import { el, unseen } from "./dom.js";
import { decodable } from "./hint.js";

const GENERAL = [
    "rax",
    "rbx",
    "rcx",
    "rdx",
    "rsi",
    "rdi",
    "rbp",
    "rsp",
    "r8",
    "r9",
    "r10",
    "r11",
    "r12",
    "r13",
    "r14",
    "r15",
];
const OTHERS = ["rip", "cr2", "rflags", "cr3", "dr6", "gs base", "cs", "ss", "ds", "es", "fs", "gs"];
const WIDE = ["rflags", "gs base"];
const SELECTORS = ["cs", "ss", "ds", "es", "fs", "gs"];

/** A panel; beside another recording, of what the last step has changed alone. */
export function registersPanel(isBeside) {
    const list = el("dl", { class: "registers" });
    const selectors = el("dl", { class: "registers selectors" });
    const element = el(
        "section",
        { class: isBeside ? "panel cpu few" : "panel cpu" },
        el(
            "div",
            { class: "panel-head" },
            el("h3", {}, isBeside ? "Changed" : "Registers"),
            isBeside
                ? ""
                : el("span", { class: "where" }, "marked: what the last step changed"),
        ),
        list,
        selectors,
    );
    const cells = new Map();
    for (const name of [...GENERAL, ...OTHERS]) {
        const cell = el("dd");
        const row = el(
            "div",
            { class: WIDE.includes(name) ? "register wide" : "register" },
            el("dt", {}, name),
            cell,
        );
        cells.set(name, { row, cell });
        (SELECTORS.includes(name) ? selectors : list).append(row);
    }
    const update = (k, state) => {
        for (const [name, { row, cell }] of cells) {
            const hex = state.registers[name];
            row.hidden = hex === undefined;
            const changed = state.changed.has(name);
            const key = `${hex} ${changed}`;
            if (hex === undefined || row.dataset.key === key) continue;
            row.dataset.key = key;
            row.classList.toggle("changed", changed);
            cell.replaceChildren(contents(name, hex), changed ? unseen(" changed") : "");
        }
    };
    return { element, update };
}

function contents(name, hex) {
    if (SELECTORS.includes(name))
        return decodable(hex.padStart(4, "0"), `${name.toUpperCase()}, a selector`, () =>
            selector(hex),
        );
    const text = hex.padStart(16, "0");
    if (name === "rflags") {
        const button = decodable(text, "RFLAGS", () => rflags(hex));
        return el("span", {}, button, " ", el("span", { class: "flags" }, rflagsLine(hex)));
    }
    return name === "dr6" ? decodable(text, "DR6", () => dr6(hex)) : text;
}
