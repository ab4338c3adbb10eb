// Which recordings are worth seeing beside a given one.

// Where there is a choice, the plainest of its kind.
const PLAIN = ["pf-write-readonly", "ud-ud2", "gp-user-cli", "bp-int3", "bp-user", "df-int8"];

/** Lists of recordings to compare @entry with, each under what the comparison shows. */
export function companions(entry, entries) {
    const others = entries.filter((other) => other.name !== entry.name && !other.problem);
    // A foreign kernel's are beside their own kind.
    const kind = entry.group === "foreign" ? "foreign" : "fault";
    const faults = others.filter((other) => other.group === kind);
    const hasCode = (other) => other.error !== null;
    const isIst = (other) => /IST/.test(other.stack);
    const bugs = others.filter((other) => other.group === "bug" && other.healthy === entry.name);
    const lists = {
        [hasCode(entry) ? "without an error code" : "with an error code"]: plainest(
            faults.filter(
                (other) =>
                    hasCode(other) !== hasCode(entry) && other.ring === entry.ring && !isIst(other),
            ),
        ),
        [entry.ring === 0 ? "from ring 3" : "from ring 0"]: plainest(
            faults.filter(
                (other) => other.ring !== entry.ring && hasCode(other) === hasCode(entry),
            ),
            entry,
        ),
        [isIst(entry) ? "on the kernel's stack" : "on an IST stack"]: plainest(
            faults.filter((other) => isIst(other) !== isIst(entry) && other.ring === entry.ring),
        ),
        "the healthy kernel": others.filter((other) => other.name === entry.healthy),
        "broken: the bug museum": bugs,
        "a compiler's way": others.filter((other) => other.group === "compiler"),
    };
    return Object.fromEntries(Object.entries(lists).filter(([, found]) => found.length));
}

function plainest(found, like = null) {
    const rank = (entry) =>
        (entry.mnemonic === like?.mnemonic ? 0 : 10) +
        (entry.vector === like?.vector ? 0 : 1) +
        (PLAIN.includes(entry.name) ? PLAIN.indexOf(entry.name) - 8 : 0);
    return found.toSorted((a, b) => rank(a) - rank(b)).slice(0, 1);
}
