// What the path costs beside the compilers' own: the figures of `make bench`, as a plot.

import { chunk, has } from "./data.js";
import { el, svg } from "./dom.js";
import { heading, table } from "./table.js";

const ROW = 30;
const [LABEL, PLOT, END] = [230, 520, 90];

export async function costTab() {
    const head = heading(
        "Cost",
        "Core cycles from delivery to resumption, above those of the frame and a bare ",
        el("code", {}, "iretq"),
        ": this path, the bare minimum, the compilers’ interrupt functions.",
    );
    if (!has("cost"))
        return [
            head,
            el(
                "p",
                { class: "message" },
                "No figures were at hand when this page was made. ",
                el("code", {}, "make bench"),
                " measures them on your CPU, and ",
                el("code", {}, "make explore"),
                " then puts them here.",
            ),
        ];
    const cost = await chunk("cost");
    const kinds = Object.keys(cost.kinds);
    return [
        head,
        el(
            "p",
            { class: "sub" },
            `Measured on ${cost.machine}. Medians, with quartiles over ${cost.link_orders} link orders.`,
        ),
        el(
            "div",
            { class: "plots" },
            kinds.map((kind) => plot(cost, kind)),
        ),
        table(
            "Figures",
            ["Path", "Kind", "Cycles", "Quartiles", "Instructions", "Registers saved"],
            kinds.flatMap((kind) => rows(cost, kind)),
        ),
    ];
}

function rows(cost, kind) {
    return Object.entries(cost.paths).map(([key, kinds]) => {
        const { cycles, instructions, registers_saved: saved } = kinds[kind];
        return [
            [cost.names[key]],
            [cost.kinds[kind]],
            [cycles.median.toFixed(1)],
            [`${cycles.low.toFixed(1)} to ${cycles.high.toFixed(1)}`],
            [String(instructions)],
            [String(saved)],
        ];
    });
}

/** Bars with whiskers; the table below says the same to those who do not see it. */
function plot(cost, kind) {
    const paths = Object.entries(cost.paths);
    const most = Math.max(1, ...paths.map(([, kinds]) => kinds[kind].cycles.high));
    const x = (cycles) => (Math.max(0, cycles) / most) * PLOT;
    const bars = paths.map(([key, kinds], i) => {
        const { median, low, high } = kinds[kind].cycles;
        const y = i * ROW + ROW / 2;
        const text = (at, anchor, words) =>
            svg("text", { x: at, y: y + 4, "text-anchor": anchor }, words);
        return svg(
            "g",
            { class: key === "barestub" ? "bar ours" : "bar" },
            text(LABEL - 10, "end", cost.names[key]),
            svg("rect", { x: LABEL, y: y - 8, width: x(median), height: 16, rx: 2 }),
            svg("path", { d: `M${LABEL + x(low)} ${y}H${LABEL + x(high)}` }),
            text(LABEL + x(high) + 8, "start", median.toFixed(1)),
        );
    });
    const size = `0 0 ${LABEL + PLOT + END} ${paths.length * ROW}`;
    return el(
        "figure",
        {},
        el("figcaption", {}, `An interrupt ${cost.kinds[kind]}`),
        svg(
            "svg",
            {
                viewBox: size,
                role: "img",
                "aria-label": `Cycles of each path ${cost.kinds[kind]}; the table below has the figures`,
            },
            bars,
        ),
    );
}
