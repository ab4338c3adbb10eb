// The source of what runs, with the line that is next; and of a broken kernel, the mistake.

import { el } from "./dom.js";
import { deliveryStart } from "./recording.js";
import { hasMotion } from "./settings.js";

/** A panel for @recording; @sources are the texts by file, @patched those of a broken kernel. */
export function sourcePanel(recording, sources, patched) {
    const title = el("h3", {}, "Source");
    const where = el("span", { class: "where" });
    const lines = el("ol", { class: "lines" });
    const box = el(
        "div",
        {
            class: "scroll",
            tabindex: 0,
            role: "region",
            "aria-label": `Source of ${recording.name}`,
        },
        lines,
    );
    const element = el(
        "section",
        { class: "panel source" },
        el("div", { class: "panel-head" }, title, where),
        box,
    );
    const listing = instructions(recording);
    let shown = null;

    const show = (key, texts, isC, marked = new Set()) => {
        if (shown === key) return;
        shown = key;
        lines.classList.remove("unnumbered");
        lines.replaceChildren(...texts.map((text, i) => line(text, isC, marked.has(i + 1))));
    };
    const point = (number) => {
        lines.querySelector(".current")?.removeAttribute("aria-current");
        lines.querySelector(".current")?.classList.remove("current");
        const current = lines.children[number];
        if (!current) return;
        current.classList.add("current");
        current.setAttribute("aria-current", "step");
    };
    const follow = () => {
        const current = lines.querySelector(".current");
        if (!current) return;
        // No line is cut in half at the top.
        const above = Math.floor((box.clientHeight / current.offsetHeight - 1) / 2);
        const top = current.offsetTop - Math.max(0, above) * current.offsetHeight;
        box.scrollTo({
            top,
            behavior: hasMotion() && Math.abs(top - box.scrollTop) < 400 ? "smooth" : "instant",
        });
    };

    const update = (k) => {
        const step = recording.steps[k];
        if (step && "delivery" in step) {
            const first = deliveryStart(recording, k);
            show(`delivery ${first}`, delivery(recording, first), false);
            where.textContent = "none: the CPU does this by itself";
            point(k - first);
            return;
        }
        const code =
            step?.code ??
            (step ? lastCode(recording, k) : recording.code[recording.steps.at(-1)?.set?.rip]);
        const { file, line: number } = code ?? {};
        const own = patched?.[file];
        const text = own?.text ?? sources[file];
        where.textContent = file ? `${file}:${number}` : "none";
        if (text === undefined) {
            where.textContent = `${file ? `${file} is not in this page` : "no source is known"}: the instructions`;
            show("listing", listing.map(({ text, symbol }) => `${text.padEnd(40)}; ${symbol}`), false);
            lines.classList.add("unnumbered");
            point(listing.indexOf(code));
            return;
        }
        show(file, text.replace(/\n$/, "").split("\n"), /\.[ch]$/.test(file), new Set(own?.lines));
        point(number - 1);
    };
    return { element, update, follow };
}

function line(text, isC, isMistake) {
    const at = isC ? text.search(/\/\/|\/\*|^ \*/) : commentOfAssembly(text);
    const parts =
        at < 0 ? [text] : [text.slice(0, at), el("span", { class: "comment" }, text.slice(at))];
    return el(
        "li",
        { class: isMistake ? "mistake" : null },
        parts,
        isMistake ? el("span", { class: "tag" }, "the mistake") : "",
    );
}

/** Where the comment of @text begins: at a semicolon that is in no string. */
function commentOfAssembly(text) {
    const found = /^(?:[^;"']|"[^"]*"|'[^']*')*;/.exec(text);
    return found ? found[0].length - 1 : -1;
}

/** All that the recording executes, by address: what there is where no source is known. */
function instructions(recording) {
    const code = new Set(recording.steps.map((step) => step.code).filter(Boolean));
    return [...code].sort((a, b) => (BigInt(`0x${a.rip}`) < BigInt(`0x${b.rip}`) ? -1 : 1));
}

/** What the CPU does, a line for each step. */
function delivery(recording, first) {
    const rest = recording.steps.slice(first);
    const end = rest.findIndex((step) => !("delivery" in step));
    return rest
        .slice(0, end < 0 ? rest.length : end)
        .map((step) => `${step.delivery.padEnd(16)} ; ${step.says}`);
}

function lastCode(recording, k) {
    return recording.steps.slice(0, k).findLast((step) => step.code)?.code;
}
