// The stack, growing downward: each slot with who pushed it, and where RSP is.

import { errorCode, rflags, selector } from "./decode.js";
import { el, unseen } from "./dom.js";
import { decodable } from "./hint.js";

const APART = 64n; // bytes between two slots that make them two places

/** A panel for @recording. All slots that are ever written have their place from the beginning. */
export function stackPanel(recording) {
    const head = el("p", { class: "rsp-line" });
    const table = el("table", { class: "slots" });
    const scroll = el(
        "div",
        {
            class: "scroll",
            tabindex: 0,
            role: "region",
            "aria-label": `Stack of ${recording.name}`,
        },
        table,
    );
    const element = el(
        "section",
        { class: "panel stack" },
        el("div", { class: "panel-head" }, el("h3", {}, "Stack"), head),
        scroll,
    );
    const { places, names } = visited(recording, grouped(addresses(recording)));
    const rows = new Map();
    table.append(
        el(
            "thead",
            {},
            el(
                "tr",
                {},
                ...["RSP", "Address", "Value", "Slot", "Pushed by"].map((name) =>
                    el("th", { scope: "col" }, name),
                ),
            ),
        ),
        ...places.map((place, i) =>
            el(
                "tbody",
                {},
                places.length > 1
                    ? el(
                          "tr",
                          { class: "place-name" },
                          el("th", { colspan: 5, scope: "rowgroup" }, names[i]),
                      )
                    : "",
                place.map((address) => {
                    const row = el("tr", { class: "slot" });
                    rows.set(address, { row, at: BigInt(`0x${address}`) });
                    return row;
                }),
            ),
        ),
    );

    let top = null; // the row that RSP points to
    const update = (k, state) => {
        const rsp = BigInt(`0x${state.registers.rsp}`);
        const home = places.find((place) => holds(place, rsp));
        head.replaceChildren(...rspLine(state, rsp));
        for (const [address, { row, at }] of rows) {
            const slot = state.stack.get(address);
            const isDead = Boolean(home?.includes(address)) && at < rsp;
            fill(row, address, slot, {
                isDead,
                isNew: state.written.has(address),
                isTop: at === rsp,
                recording,
            });
        }
        top = rows.get(state.registers.rsp)?.row;
    };
    const follow = () => keepInSight(scroll, top);
    return { element, update, follow };
}

function addresses(recording) {
    const all = new Set(recording.start.window.map(([address]) => address));
    for (const step of recording.steps) for (const [address] of step.write ?? []) all.add(address);
    return [...all].sort((a, b) => (BigInt(`0x${a}`) < BigInt(`0x${b}`) ? 1 : -1));
}

/** @sorted addresses in places that lie apart: the stacks. */
function grouped(sorted) {
    const places = [];
    for (const address of sorted) {
        const last = places.at(-1)?.at(-1);
        if (last && BigInt(`0x${last}`) - BigInt(`0x${address}`) <= APART)
            places.at(-1).push(address);
        else places.push([address]);
    }
    return places;
}

function holds(place, rsp) {
    return rsp <= BigInt(`0x${place[0]}`) + APART && rsp + APART >= BigInt(`0x${place.at(-1)}`);
}

/** @places in the order in which RSP comes to them, and the name of the stack that each is. */
function visited(recording, places) {
    const order = new Map();
    let [rsp, name] = [recording.start.registers.rsp, recording.start.stack];
    for (const step of [{}, ...recording.steps]) {
        rsp = step.set?.rsp ?? rsp;
        name = step.stack ?? name;
        const place = places.find((each) => holds(each, BigInt(`0x${rsp}`)));
        if (place && !order.has(place)) order.set(place, stackTitle(name));
    }
    for (const place of places) if (!order.has(place)) order.set(place, "memory");
    return { places: [...order.keys()], names: [...order.values()] };
}

function rspLine(state, rsp) {
    const rest = rsp % 16n;
    return [
        el("span", { class: "stack-name" }, stackTitle(state.stackName)),
        el("span", { class: "mono" }, `RSP mod 16 = ${rest}`),
        el(
            "span",
            { class: rest === 0n ? "badge aligned" : "badge" },
            rest === 0n ? "aligned" : "not aligned",
        ),
    ];
}

/** The stack that recordings call @name. */
export function stackTitle(name) {
    return /stack/.test(name) ? name : `${name} stack`;
}

function fill(row, address, slot, { isDead, isNew, isTop, recording }) {
    const who = slot?.who ?? "";
    const key = [slot?.value, who, isDead, isNew, isTop].join();
    if (row.dataset.key === key) return;
    row.dataset.key = key;
    row.dataset.who = who;
    row.className = [
        "slot",
        slot ? "" : "empty",
        isDead ? "dead" : "",
        isNew ? "new" : "",
        isTop ? "at-rsp" : "",
    ]
        .join(" ")
        .trim();
    const aligned = address.endsWith("0");
    row.replaceChildren(
        el(
            "td",
            { class: "pointer" },
            isTop
                ? "RSP"
                : aligned
                  ? el("span", { class: "tick", title: "a multiple of 16" }, "16")
                  : "",
        ),
        el(
            "th",
            { scope: "row", class: "address" },
            el("span", { class: "far" }, address.padStart(16, "0").slice(0, -5)),
            address.slice(-5),
        ),
        el("td", { class: "value" }, slot ? value(slot, recording) : unseen("not written yet")),
        el("td", { class: "name" }, slot?.name ?? ""),
        el("td", { class: "who" }, isDead && slot ? unseen("left behind, ") : "", caption(who, recording)),
    );
}

const CAPTIONS = {
    CPU: "the CPU",
    stub: "the stub",
    before: "before the trap",
    program: "the program",
};

function caption(who, recording) {
    return recording.actors?.[who] ?? CAPTIONS[who] ?? who;
}

function value({ value: hex, name }, recording) {
    if (hex === null) return el("span", { class: "unknown" }, "not known");
    const text = hex.padStart(16, "0");
    if (name === "rflags") return decodable(text, "RFLAGS", () => rflags(hex));
    if (name === "cs" || name === "ss")
        return decodable(text, `${name.toUpperCase()}, a selector`, () => selector(hex));
    if (name === "error code")
        return decodable(text, `Error code of #${recording.mnemonic}`, () =>
            errorCode(recording.error === null ? "" : recording.mnemonic, hex),
        );
    return text;
}

function keepInSight(scroll, row) {
    if (!row || scroll.scrollHeight <= scroll.clientHeight) return;
    const [top, bottom] = [row.offsetTop, row.offsetTop + row.offsetHeight];
    const margin = 3 * row.offsetHeight;
    const head = scroll.querySelector("thead").offsetHeight;
    // No slot is cut in half by the head.
    const scrollTo = (wanted) => {
        const rows = [...scroll.querySelectorAll("tr")];
        const first = rows.find((each) => each.offsetTop - head >= wanted);
        scroll.scrollTop = first ? first.offsetTop - head : wanted;
    };
    if (top - head - margin < scroll.scrollTop) scrollTo(top - head - margin);
    else if (bottom + margin > scroll.scrollTop + scroll.clientHeight)
        scrollTo(bottom + margin - scroll.clientHeight);
}
