// Six steps through one page fault, for whoever is here for the first time.

import { el, prose } from "./dom.js";
import { actor } from "./recording.js";
import { trapAddress } from "./route.js";
import { keep } from "./settings.js";

export const STORY = "pf-write-readonly";

// Where a chapter stands is found in the recording, as its steps may change with the kernel.
const PARTS = [
    {
        title: "An instruction that cannot be done",
        text: "This `mov` writes to a page that is read-only. The CPU cannot finish it, so it calls for help: exception 14, the page fault. The program knows nothing of it.",
        find: () => 0,
        look: "source",
    },
    {
        title: "The CPU leaves a note",
        text: "It reads gate 14 of the IDT, aligns RSP down to 16, and pushes five values, the way back. For a page fault it pushes one more: an error code. Nothing else is saved.",
        find: (steps) =>
            first(steps, (step) => /push ss|^ss/.test(step.delivery ?? "")) ??
            first(steps, (step) => "delivery" in step),
        look: "stack",
    },
    {
        title: "The stub says which vector",
        text: "Each of the 256 vectors has 16 bytes of its own. This one pushes the number 14 and jumps on. Had the CPU pushed no error code, the stub would push a 0 in its place.",
        find: (steps) => first(steps, (step) => actor(step) === "stub"),
        look: "source",
    },
    {
        title: "Everything is put away",
        text: "C may destroy nine registers, so `trap_entry` saves them; it saves the other six too, that a handler may see them all. With the CPU's part, this is `struct regs`.",
        find: (steps) =>
            first(
                steps,
                (step) => actor(step) === "trap_entry" && step.code?.text.startsWith("push"),
            ),
        look: "stack",
    },
    {
        title: "Safe for C, and the call",
        text: "DF and AC clear, RSP a multiple of 16, the frame's address in RDI: now a C function can be called as if nothing were special about it. It finds a handler by the vector.",
        find: (steps) =>
            first(
                steps,
                (step) => actor(step) === "trap_entry" && /^call/.test(step.code?.text ?? ""),
            ),
        look: "now",
    },
    {
        title: "The way back",
        text: "Fifteen pops, the vector and the code dropped, and one `iretq` loads RIP, CS, RFLAGS, RSP and SS together. Every register is as it was. Now step through it yourself: the arrow keys.",
        find: (steps) => first(steps, (step) => /^iret/.test(step.code?.text ?? "")),
        look: "stack",
    },
];

function first(steps, is) {
    const found = steps.findIndex(is);
    return found < 0 ? null : found;
}

/** The story's card over @recording, at @chapter; done() is called when it is sent away. */
export function storyCard(recording, chapter, done) {
    const { title, text } = PARTS[chapter];
    const isLast = chapter === PARTS.length - 1;
    const close = () => {
        keep("story", "seen");
        done(null);
    };
    return el(
        "section",
        { class: "story", "aria-labelledby": "story-title", tabindex: -1 },
        el(
            "p",
            { class: "story-count" },
            `The story of one page fault, ${chapter + 1} of ${PARTS.length}`,
        ),
        el("h2", { id: "story-title" }, title),
        el("p", { class: "story-text" }, prose(text)),
        el(
            "div",
            { class: "story-buttons" },
            el(
                "button",
                { type: "button", class: "plain", onclick: close },
                isLast ? "Close" : "Skip the story",
            ),
            el(
                "button",
                { type: "button", disabled: chapter === 0, onclick: () => done(chapter - 1) },
                "Back",
            ),
            el(
                "button",
                {
                    type: "button",
                    class: "primary",
                    onclick: () => (isLast ? close() : done(chapter + 1)),
                },
                isLast ? "Look around" : "Next",
            ),
        ),
    );
}

/** Where the story's @chapter stands, and the panel to look at. */
export function storyPlace(recording, chapter) {
    const { find, look } = PARTS[chapter];
    return { address: trapAddress(STORY, find(recording.steps) ?? 0), look };
}
