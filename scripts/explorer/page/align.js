// Two recordings side by side: which step of the one belongs to which of the other.

import { actor, dutyOf } from "./recording.js";

const LIMIT = 6_000_000; // cells of the table; beyond it the recordings go step by step

/**
 * The rows of the comparison: pairs of a step of @left and of @right, -1 where one has none. They
 * are a longest common subsequence of what the steps do, whatever the addresses and numbers.
 */
export function align(left, right) {
    // A compiler saves in an order of its own.
    const isCompilers = [left, right].some(({ group }) => group === "compiler");
    const alike = isCompilers ? (step) => dutyOf(step) ?? essence(step) : essence;
    const a = left.steps.map(alike);
    const b = right.steps.map(alike);
    if (a.length * b.length > LIMIT) return inStep(a.length, b.length);
    const width = b.length + 1;
    const common = new Uint16Array((a.length + 1) * width);
    for (let i = a.length - 1; i >= 0; i--)
        for (let j = b.length - 1; j >= 0; j--)
            common[i * width + j] =
                a[i] === b[j]
                    ? common[(i + 1) * width + j + 1] + 1
                    : Math.max(common[(i + 1) * width + j], common[i * width + j + 1]);
    const rows = [];
    let [i, j] = [0, 0];
    while (i < a.length || j < b.length) {
        if (i < a.length && j < b.length && a[i] === b[j]) rows.push([i++, j++]);
        else if (
            j >= b.length ||
            (i < a.length && common[(i + 1) * width + j] >= common[i * width + j + 1])
        )
            rows.push([i++, -1]);
        else rows.push([-1, j++]);
    }
    return rows;
}

function inStep(left, right) {
    return Array.from({ length: Math.max(left, right) }, (_, i) => [
        i < left ? i : -1,
        i < right ? i : -1,
    ]);
}

/** What @step does, without its numbers. */
function essence(step) {
    if ("delivery" in step) return `CPU ${step.delivery}`;
    if ("skipped" in step) return "C runs";
    const text = (step.code?.text ?? "").replace(/\b(0x)?[0-9a-f]{2,}\b|\b\d+\b|<.*>/g, "#");
    const who = actor(step);
    if (who === "program") return "the program";
    return dutyOf(step)
        ? `${dutyOf(step)} ${text}`
        : text.startsWith("endbr")
          ? "arrival"
          : `${who} ${text}`;
}

/** The state of each side before row @k: how many of its steps lie above. */
export function positions(rows, k) {
    let [left, right] = [0, 0];
    for (const [i, j] of rows.slice(0, k)) {
        if (i >= 0) left = i + 1;
        if (j >= 0) right = j + 1;
    }
    return [left, right];
}
