// What a recording says: the machine's state before each step, and who does what.

/** The state before step @k: the start, and what steps 0 to k - 1 set and wrote. */
export function stateAt(recording, k) {
    const registers = { ...recording.start.registers };
    const stack = new Map(
        recording.start.window.map(([address, value, who, name]) => [
            address,
            { value, who, name: name ?? "" },
        ]),
    );
    let stackName = recording.start.stack;
    for (const step of recording.steps.slice(0, k)) {
        Object.assign(registers, step.set);
        for (const [address, value, who, name] of step.write ?? []) {
            const before = stack.get(address);
            stack.set(address, { value, who, name: name || before?.name || "" });
        }
        stackName = step.stack ?? stackName;
    }
    const next = recording.steps[k];
    if (next?.code) registers.rip = next.code.rip;
    const last = recording.steps[k - 1];
    return {
        registers,
        stack,
        stackName,
        changed: new Set(Object.keys(last?.set ?? {})),
        written: new Set((last?.write ?? []).map(([address]) => address)),
    };
}

/** Who takes @step: the program, the CPU, the stub, trap_entry or C. */
export function actor(step) {
    if (step.who) return step.who;
    if ("delivery" in step) return "CPU";
    if ("skipped" in step) return "C";
    const symbol = step.code?.symbol ?? "";
    const file = step.code?.file ?? "";
    // isr_14_PF is ours, gcc_code a compiler's.
    if (/^isr_|^(?!trap_entry)\w+_(code|none)\b/.test(symbol)) return "stub";
    if (/^trap_entry|^barestub_common/.test(symbol)) return "trap_entry";
    const isC = /\.[ch]$/.test(file) || file.startsWith("kernel/") || symbol === "trap_dispatch";
    return isC ? "C" : "program";
}

const CHAPTERS = {
    program: ["the program", "program"],
    CPU: ["the CPU delivers", "CPU"],
    stub: ["the stub", "stub"],
    trap_entry: ["trap_entry", "entry"],
    C: ["C", "C"],
};

/**
 * @steps, where a null is a gap, in runs of one actor: where each begins, its length, its title and
 * a short one.
 */
export function chapters(steps, actors = {}) {
    const runs = [];
    for (const [number, step] of steps.entries()) {
        const who = step ? actor(step) : null;
        if (runs.at(-1)?.who === who) runs.at(-1).length++;
        else runs.push({ who, start: number, length: 1 });
    }
    let hasCalled = false;
    for (const run of runs) {
        const own = actors[run.who] ?? run.who ?? "";
        [run.title, run.short] = actors[run.who] ? [own, own] : (CHAPTERS[run.who] ?? [own, own]);
        if (run.who === "trap_entry") {
            run.short = hasCalled ? "restores" : "saves";
            run.title += ` ${run.short}`;
        }
        if (run.who === "C") hasCalled = true;
        if (run.who === "CPU") hasCalled = false;
    }
    return runs;
}

/** @step in a few words. */
export function words(step) {
    if (!step) return "the recording ends";
    if ("delivery" in step) return `the CPU: ${step.delivery}`;
    if ("skipped" in step)
        return step.skipped === null
            ? step.says
            : `${step.skipped.toLocaleString("en")} instructions of C`;
    return step.code?.text || "an instruction";
}

/** The step's hidden duty, or null. */
export function dutyOf(step) {
    return step?.duty ?? step?.code?.duty ?? null;
}

/** The first step of the delivery of which step @k is one. */
export function deliveryStart(recording, k) {
    while (k > 0 && "delivery" in recording.steps[k - 1]) k--;
    return k;
}
