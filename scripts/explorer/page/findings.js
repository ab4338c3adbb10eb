// What stublint found in the stubs of another kernel: each with what is due and what to do, and the
// way to the step at which it happens.

import { el, prose } from "./dom.js";
import { trapAddress } from "./route.js";
import { heading } from "./table.js";

// Worst first, as stublint has them; "allowed" are those that somebody lives with.
const SEVERITIES = {
    ERROR: "wrong whenever it happens",
    ABI: "breaks the promise to C",
    LATENT: "right today, or wrong in a rare case",
    INFO: "no finding, but worth knowing",
    allowed: "lived with, for a reason",
};

/** Whether stublint counts this finding. */
export function isMistake({ severity }) {
    return !["INFO", "allowed"].includes(severity);
}

/** The tab over @index, whose recordings are entries. */
export function findingsTab(index) {
    const { findings, kernel, recordings } = index;
    const counted = findings.filter(isMistake);
    const words = counted.length
        ? `stublint found ${counted.length} mistake${counted.length === 1 ? "" : "s"} in the interrupt stubs of ${kernel}. Each can be seen at the instruction where it happens.`
        : `stublint found no mistake in the interrupt stubs of ${kernel}.`;
    return [
        heading("Findings", words),
        el("div", { class: "findings" }, findings.map(findingCard)),
        counted.length ? "" : startLink(recordings),
    ];
}

function startLink(recordings) {
    const first = recordings.find((entry) => !entry.problem);
    return first
        ? el("a", { class: "button primary", href: trapAddress(first.name) }, "Play the stubs")
        : "";
}

function findingCard(finding) {
    const { rule, severity, title, reason, recording, step } = finding;
    const rows = {
        seen: finding.seen,
        "so also": finding.leads_to.join(", "),
        due: finding.due,
        at: finding.at.join(", "),
        symptom: finding.symptom,
        fix: finding.fix,
        manual: finding.manual,
        allowed: reason,
    };
    return el(
        "article",
        { class: "found-card", "data-severity": severity },
        el(
            "div",
            { class: "found-head" },
            el("h2", {}, rule),
            el("span", { class: "severity", title: SEVERITIES[severity] }, severity),
            el("span", { class: "sub" }, title),
        ),
        el("dl", { class: "told-rows" }, toldRows(rows)),
        recording === null
            ? el("p", { class: "sub" }, "It is about more than one run, so there is none to play.")
            : el(
                  "a",
                  { class: "button", href: trapAddress(recording, step ?? 0) },
                  "Go to where it happens",
              ),
    );
}

/** @rows, text by title, as the parts of a <dl>; those without a text are left out. */
export function toldRows(rows) {
    return Object.entries(rows)
        .filter(([, text]) => text)
        .map(([title, text]) => el("div", {}, el("dt", {}, title), el("dd", {}, prose(text))));
}
