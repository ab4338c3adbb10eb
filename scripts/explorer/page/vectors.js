// The vectors, as kernel/trap/vectors.def lists them.

import { chunk } from "./data.js";
import { el } from "./dom.js";
import { trapAddress } from "./route.js";
import { heading, table } from "./table.js";

const CLASSES = {
    FAULT: "fault: RIP is that of the instruction",
    TRAP: "trap: RIP is that of the next one",
    FAULT_OR_TRAP: "fault or trap",
    ABORT: "abort: no way back is promised",
    INTERRUPT: "interrupt",
};

export async function vectorsTab(route, entries) {
    const { vectors } = await chunk("vectors");
    const rows = vectors.map((vector) => {
        const played = entries.filter(
            (entry) => entry.group === "fault" && entry.vector === vector.number && !entry.problem,
        );
        const plain = played.find(({ name }) => name.startsWith(`${vector.mnemonic.toLowerCase()}-`));
        const { name } = plain ?? played[0] ?? {};
        const link = name ? el("a", { href: trapAddress(name) }, name) : "";
        const more = played.length > 1 ? ` and ${played.length - 1} more` : "";
        return [
            [String(vector.number)],
            [vector.number < 32 ? `#${vector.mnemonic}` : vector.mnemonic],
            [vector.title],
            [CLASSES[vector.class] ?? vector.class],
            [vector.code ? "pushed by the CPU" : "a dummy 0"],
            [vector.ist ? `IST ${vector.ist}` : ""],
            [link, more],
        ];
    });
    return [
        heading(
            "Vectors",
            "The one list of the named vectors, kernel/trap/vectors.def, from which stubs, gates and names are made. The other vectors up to 255 have a stub too, and no name.",
        ),
        table(
            "Vectors",
            ["Vector", "Short", "Name", "Class", "Error code", "Stack", "Recorded"],
            rows,
        ),
    ];
}
