// A value's meaning, bit by bit, on hover and on focus. Escape sends it away, and it stays while
// the pointer is on it (WCAG 2.2, 1.4.13).

import { el } from "./dom.js";

const hint = document.getElementById("hint");
let owner = null;
let leaving = 0;

/** A button showing @text, whose @meaning() is a list of [name, what it says, is set]. */
export function decodable(text, title, meaning) {
    const show = (event) => open(event.currentTarget, title, meaning());
    return el(
        "button",
        {
            type: "button",
            class: "bits",
            "aria-describedby": "hint",
            onmouseenter: show,
            onfocus: show,
            onclick: show,
            onmouseleave: leave,
            onblur: closeHint,
        },
        text,
    );
}

function open(button, title, rows) {
    clearTimeout(leaving);
    owner = button;
    hint.replaceChildren(
        el("p", { class: "hint-title" }, title),
        el(
            "dl",
            {},
            rows.map(([name, says, isSet]) =>
                el(
                    "div",
                    { class: isSet === false ? "clear" : "set" },
                    el("dt", {}, name),
                    el("dd", {}, says),
                ),
            ),
        ),
    );
    hint.hidden = false;
    place(button.getBoundingClientRect());
}

/** Below the button, or above it where there is no room; never beyond the window's edges. */
function place(box) {
    const { width, height } = hint.getBoundingClientRect();
    const below = box.bottom + 6;
    const fits = below + height <= innerHeight;
    hint.style.top = `${Math.max(8, fits ? below : box.top - height - 6)}px`;
    hint.style.left = `${Math.max(8, Math.min(box.left, innerWidth - width - 8))}px`;
}

export function closeHint() {
    clearTimeout(leaving);
    hint.hidden = true;
    owner = null;
}

function leave() {
    leaving = setTimeout(() => document.activeElement !== owner && closeHint(), 120);
}

hint.addEventListener("mouseenter", () => clearTimeout(leaving));
hint.addEventListener("mouseleave", leave);
addEventListener("keydown", (event) => event.key === "Escape" && closeHint());
addEventListener(
    "scroll",
    (event) => event.target.contains(owner) && event.target !== hint && closeHint(),
    true,
);
