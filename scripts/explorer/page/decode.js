// Error codes, RFLAGS, selectors, gates and DR6 taken apart. The bits' places and names are those
// of kernel/cpu/x86.def, which the packer hands over; what they mean is said here.

let constants = {};

/** Take over the constants of kernel/cpu/x86.def. */
export function setConstants(values) {
    constants = Object.fromEntries(
        Object.entries(values).map(([name, value]) => [name, BigInt(value)]),
    );
}

const MEANINGS = {
    RFLAGS_CF: "carry",
    RFLAGS_FIXED: "always 1",
    RFLAGS_PF: "even parity of the low byte",
    RFLAGS_AF: "carry out of bit 3",
    RFLAGS_ZF: "the result was zero",
    RFLAGS_SF: "the result was negative",
    RFLAGS_TF: "single step: #DB after each instruction",
    RFLAGS_IF: "interrupts are let in",
    RFLAGS_DF: "string instructions go downwards",
    RFLAGS_OF: "signed overflow",
    RFLAGS_IOPL: "the ring that may use I/O ports",
    RFLAGS_NT: "nested task: IRETQ would fault",
    RFLAGS_RF: "no instruction breakpoint for the next instruction",
    RFLAGS_VM: "virtual-8086 mode",
    RFLAGS_AC: "alignment checks in ring 3; in ring 0, SMAP lets user pages be touched",
    RFLAGS_VIF: "virtual interrupt flag",
    RFLAGS_VIP: "a virtual interrupt is pending",
    RFLAGS_ID: "CPUID can be had",
    PF_P: "the page is present: access was refused",
    PF_W: "a write",
    PF_U: "from ring 3",
    PF_RSVD: "a reserved bit was set in a page-table entry",
    PF_I: "an instruction fetch",
    PF_PK: "refused by a protection key",
    PF_SS: "a shadow-stack access",
    PF_HLAT: "during HLAT paging",
    PF_SGX: "refused by SGX",
    DR6_B0: "the condition of breakpoint 0 was met",
    DR6_B1: "the condition of breakpoint 1 was met",
    DR6_B2: "the condition of breakpoint 2 was met",
    DR6_B3: "the condition of breakpoint 3 was met",
    DR6_BLD: "0 would mean: a bus lock",
    DR6_BD: "a debug register was touched under DR7.GD",
    DR6_BS: "single step",
    DR6_BT: "task switch",
    DR6_RTM: "0 would mean: inside a transaction",
    ERROR_EXT: "during the delivery of another event",
    ERROR_IDT: "the index is that of an IDT gate",
    ERROR_TI: "the index is that of the LDT",
};

const CP_CAUSES = {
    CP_NEAR_RET: "near RET",
    CP_FAR_RET_IRET: "far RET or IRET",
    CP_ENDBRANCH: "a missing ENDBRANCH",
    CP_RSTORSSP: "RSTORSSP",
    CP_SETSSBSY: "SETSSBSY",
};

const SELECTOR_VECTORS = ["TS", "NP", "SS", "GP"];

/** The rows of the bits named PREFIX_: [name, meaning, is set], the set ones first. */
function bits(prefix, value) {
    const rows = Object.entries(constants)
        .filter(([name]) => name.startsWith(prefix) && name in MEANINGS)
        .map(([name, mask]) => [
            name.slice(prefix.length),
            MEANINGS[name],
            (value & mask) === mask,
        ]);
    return [...rows.filter((row) => row[2]), ...rows.filter((row) => !row[2])];
}

export function rflags(hex) {
    const value = BigInt(`0x${hex}`);
    const level = Number((value & constants.RFLAGS_IOPL) >> 12n);
    return bits("RFLAGS_", value).map((row) =>
        row[0] === "IOPL" ? ["IOPL", `${level}: ${MEANINGS.RFLAGS_IOPL}`, level > 0] : row,
    );
}

/** The names of the flags that are set, as a line. */
export function rflagsLine(hex) {
    const names = rflags(hex).filter(([name, , isSet]) => isSet && name !== "FIXED");
    return names.map(([name]) => name).join(" ");
}

export function dr6(hex) {
    return bits("DR6_", BigInt(`0x${hex}`));
}

export function selector(hex) {
    const value = Number.parseInt(hex, 16);
    const known = Object.entries(constants).find(
        ([name, number]) => name.startsWith("SELECTOR_") && Number(number) === value,
    );
    const rows = [
        ["index", `${value >> 3}, of the ${value & 4 ? "LDT" : "GDT"}`, true],
        ["RPL", `${value & 3}: ring ${value & 3}`, true],
    ];
    if ((value & 0xfffc) === 0) return [["null", "names no descriptor", true], ...rows];
    return known ? [["name", known[0], true], ...rows] : rows;
}

/** The error code @hex of the exception @mnemonic. */
export function errorCode(mnemonic, hex) {
    const value = BigInt(`0x${hex}`);
    if (mnemonic === "PF") return bits("PF_", value);
    if (SELECTOR_VECTORS.includes(mnemonic)) return selectorCode(value);
    if (mnemonic === "CP") {
        const cause = Object.keys(CP_CAUSES).find((name) => constants[name] === (value & 0x7fffn));
        return [["cause", cause ? CP_CAUSES[cause] : `unknown: ${value}`, true]];
    }
    if (mnemonic === "DF" || mnemonic === "AC") return [["0", "always 0 for this vector", true]];
    return [["dummy", "this vector has no error code: the stub pushed 0 in its place", true]];
}

function selectorCode(value) {
    if (value === 0n) return [["0", "no selector is to blame", true]];
    const table = value & constants.ERROR_IDT ? "IDT" : value & constants.ERROR_TI ? "LDT" : "GDT";
    return [
        ["index", `${(value >> 3n) & 0x1fffn}, of the ${table}`, true],
        ...bits("ERROR_", value),
    ];
}

const GATE_TYPES = {
    12: "64-bit call gate",
    14: "64-bit interrupt gate: clears IF",
    15: "64-bit trap gate: leaves IF",
};

/** A gate of the IDT from its two halves, the high one first, as `gate` prints them. */
export function gate(high, low) {
    const [h, l] = [BigInt(`0x${high}`), BigInt(`0x${low}`)];
    const field = (from, width) => Number((l >> BigInt(from)) & ((1n << BigInt(width)) - 1n));
    const offset =
        ((h & 0xffffffffn) << 32n) | (BigInt(field(48, 16)) << 16n) | BigInt(field(0, 16));
    return [
        ["offset", offset.toString(16).padStart(16, "0"), true],
        ["selector", `${field(16, 16).toString(16)}: GDT entry ${field(19, 13)}`, true],
        [
            "IST",
            field(32, 3)
                ? `${field(32, 3)}: always this stack of the TSS`
                : "0: no switch within a ring",
            true,
        ],
        ["type", GATE_TYPES[field(40, 4)] ?? `${field(40, 4)}`, true],
        ["DPL", `${field(45, 2)}: INT n from ring ${field(45, 2)} and more privileged`, true],
        ["P", "present", field(47, 1) === 1],
    ];
}
