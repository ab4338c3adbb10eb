// Two recordings side by side: which step of the one belongs to which of the other.

import { actor, dutyOf } from "./recording.js";

const NUMBER = /\b0x[0-9a-f]+\b|\b[0-9a-f]{2,}\b|\b\d+\b|<.*>/g;
const LIMIT = 6_000_000; // cells of the table; beyond it the recordings go step by step

/**
 * The rows of the comparison: pairs of a step of @left and of @right, -1 where one has none. They
 * are a longest common subsequence of what the steps do, whatever the addresses and numbers.
 */
export function align(left, right) {
    // A compiler saves in an order of its own.
    const isCompilers = [left, right].some(({ group }) => group === "compiler");
    const alike = isCompilers ? byDuty : essence;
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
        const [left, right] = nextPair(a, b, common, i, j);
        while (i < left) rows.push([i++, -1]);
        while (j < right) rows.push([-1, j++]);
        if (i < a.length) rows.push([i++, j++]);
    }
    return rows;
}

/**
 * The nearest pair from step @i of @a and step @j of @b on that is part of a longest common
 * subsequence, whose lengths are in @common: what is repeated pairs with its first time. If there
 * is no more, the ends of both.
 */
function nextPair(a, b, common, i, j) {
    const width = b.length + 1;
    const due = common[i * width + j];
    if (due === 0) return [a.length, b.length];
    for (let far = 0; ; far++)
        for (let left = i; left <= Math.min(i + far, a.length - 1); left++) {
            const right = j + far - (left - i);
            const isPair = right < b.length && a[left] === b[right];
            if (isPair && common[left * width + right] === due) return [left, right];
        }
}

function inStep(left, right) {
    return Array.from({ length: Math.max(left, right) }, (_, i) => [
        i < left ? i : -1,
        i < right ? i : -1,
    ]);
}

/** What @step is for, or does. */
function byDuty(step) {
    const isCall = step.code?.text.startsWith("call");
    return isCall ? "call" : (dutyOf(step) ?? essence(step));
}

/** What @step does, without its numbers: a push by what it is. */
function essence(step) {
    if ("delivery" in step) return `CPU ${step.delivery}`;
    if ("skipped" in step) return "C runs";
    const who = actor(step);
    if (who === "program") return "the program";
    const text = step.code?.text ?? "";
    if (text.startsWith("endbr")) return "arrival";
    if (text.startsWith("iret")) return "return";
    const slot = step.write?.at(-1)?.[3];
    if (who === "stub" && slot && text.startsWith("push")) return `${who} pushes ${slot}`;
    return `${who} ${text.replace(NUMBER, "#")}`;
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
