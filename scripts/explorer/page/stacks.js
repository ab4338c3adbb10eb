// Which vector lands on which stack.

import { chunk } from "./data.js";
import { el } from "./dom.js";
import { heading } from "./table.js";

export async function stacksTab() {
    const { vectors, stacks } = await chunk("vectors");
    const columns = stacks.map((stack) =>
        column(
            stack,
            vectors.filter((vector) => vector.ist === stack.ist),
        ),
    );
    return [
        heading(
            "Stacks",
            "Only the double fault and the machine check have a stack of their own, by the IST field of their gate: neither may rely on the stack that it finds. All else stays on the kernel’s stack, or goes there from ring 3 by TSS.RSP0. There is no SYSCALL entry, so ring 0 always has a good RSP.",
        ),
        el("div", { class: "stacks" }, columns),
    ];
}

function column({ name, ist, low, high, how }, vectors) {
    const exceptions = vectors.filter(({ number }) => number < 32);
    const others = vectors.filter(({ number }) => number >= 32);
    return el(
        "section",
        { class: "stack-column" },
        el("h2", {}, name),
        el("p", { class: "sub" }, how),
        el(
            "div",
            { class: "tower" },
            el("code", {}, high),
            el("span", { class: "room" }, `${kilobytes(low, high)} KiB, growing down`),
            el("code", {}, low),
            el("span", { class: "guard" }, "guard page, not mapped"),
        ),
        chips(exceptions),
        others.length
            ? el("p", { class: "sub" }, "Interrupts, and all vectors without a name:")
            : "",
        others.length ? chips(others) : "",
        ist === 0 ? "" : el("p", { class: "sub" }, `IST ${ist} of the TSS, from any ring.`),
    );
}

function kilobytes(low, high) {
    return Number((BigInt(`0x${high}`) - BigInt(`0x${low}`)) / 1024n);
}

function chips(vectors) {
    return el(
        "ul",
        { class: "chips" },
        vectors.map(({ number, mnemonic, title }) =>
            el(
                "li",
                { title },
                el("span", { class: "mono" }, `${number}`),
                ` ${number < 32 ? "#" : ""}${mnemonic}`,
            ),
        ),
    );
}
