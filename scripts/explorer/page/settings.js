// What a person has chosen, kept from visit to visit where the browser lets a page keep things.

import { el } from "./dom.js";

const KEY = "barestub.";

export function kept(name) {
    try {
        return localStorage.getItem(KEY + name);
    } catch {
        return null;
    }
}

export function keep(name, value) {
    try {
        localStorage.setItem(KEY + name, value);
    } catch {
        // A browser that keeps nothing asks again: so be it.
    }
}

const prefers = (query) => matchMedia(query).matches;

const SWITCHES = {
    theme: {
        label: "Dark",
        values: ["light", "dark"],
        initial: () => (prefers("(prefers-color-scheme: dark)") ? "dark" : "light"),
    },
    motion: {
        label: "Motion",
        values: ["off", "on"],
        initial: () => (prefers("(prefers-reduced-motion: reduce)") ? "off" : "on"),
    },
    keys: { label: "Letter keys", values: ["off", "on"], initial: () => "on" },
};

function set(name, value) {
    document.documentElement.dataset[name] = value;
}

/** Switch on what was chosen, or what the system prefers; return the buttons. */
export function switches() {
    return Object.entries(SWITCHES).map(([name, { label, values, initial }]) => {
        const current = () => document.documentElement.dataset[name];
        set(name, kept(name) ?? initial());
        const button = el(
            "button",
            { type: "button", class: "switch", id: `switch-${name}` },
            label,
        );
        const show = () => button.setAttribute("aria-pressed", String(current() === values[1]));
        button.addEventListener("click", () => {
            set(name, values[current() === values[1] ? 0 : 1]);
            keep(name, current());
            show();
        });
        show();
        return button;
    });
}

export function hasMotion() {
    return document.documentElement.dataset.motion === "on";
}

/** Whether single letters are keys: they need not be, for those who dictate (WCAG 2.2, 2.1.4). */
export function hasLetters() {
    return document.documentElement.dataset.keys === "on";
}
