// The hidden duties: what a compiler's interrupt convention does unseen, and the reasons for it.

import { manual, prose } from "./dom.js";

const SDM = "https://www.intel.com/content/www/us/en/developer/articles/technical/intel-sdm.html";
const ABI = "https://gitlab.com/x86-psABIs/x86-64-ABI";

export const DUTIES = {
    "error code": {
        title: "Error code",
        why: "Ten exceptions push an error code and all else pushes none, so a dummy 0 takes its place and one frame serves all. Before `iretq` it must go again: `iretq` would take it for RIP.",
        manual: ["SDM vol. 3, 6.13", SDM],
        bug: "no-dummy",
    },
    saving: {
        title: "Saving",
        why: "The program did not ask to be interrupted, so each of its registers must come back as it was. All fifteen are saved, not only the nine that C may destroy: a handler can then see and change any of them.",
        manual: ["System V ABI, 3.2.1", ABI],
        bug: "pops-swapped",
    },
    flags: {
        title: "DF and AC",
        why: "The CPU leaves both as the program had them, but C is promised a clear DF, and with AC set SMAP lets C touch the user's pages unnoticed. The saved RFLAGS tell, so that only a trap that needs CLD and CLAC pays for them.",
        manual: ["SDM vol. 3, 6.12.1", SDM],
        bug: "no-cld",
    },
    alignment: {
        title: "Alignment",
        why: "C may rely on RSP being a multiple of 16 at every call: one MOVAPS to a stack that is off by 8 is a #GP. The frame has 22 slots and is aligned already; this keeps it so when somebody adds one.",
        manual: ["System V ABI, 3.2.2", ABI],
        bug: "no-realign",
    },
    arguments: {
        title: "Arguments",
        why: "C takes its first argument in RDI, and here that is the address of the frame. It is set before the call and after the last push, or C reads a frame that is not there.",
        manual: ["System V ABI, 3.2.3", ABI],
        bug: "argument-after-realign",
    },
    return: {
        title: "Return",
        why: "`iretq` takes RIP, CS, RFLAGS, RSP and SS off the stack in one instruction, and checks them. With RSP one slot off, the next value becomes CS: a #GP, or a reset.",
        manual: ["SDM vol. 2, IRET", SDM],
        bug: "ret",
    },
};

/** The two sentences on @duty; the second may be about our own path. */
export function why(duty, isOurs) {
    const text = DUTIES[duty].why;
    return prose(isOurs ? text : text.replace(/(?<=[.:]) .*/, "").replace(/:$/, "."));
}

export function manualLink(duty) {
    return manual(...DUTIES[duty].manual);
}
