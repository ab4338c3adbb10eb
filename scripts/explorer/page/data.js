// The recordings and tables that the packer has put into the page, each in a chunk of its own:
// JSON, gzip, base64. A chunk is unpacked when it is first asked for.

export const FORMAT = 1; // of a recording, as scripts/explorer/ writes it

/** What cannot be shown, in words for whoever looks at the page. */
export class Problem extends Error {}

const unpacked = new Map();

/** Whether the page has the chunk @name. */
export function has(name) {
    return document.getElementById(`chunk-${name}`) !== null;
}

/** The contents of the chunk @name. Throws a Problem if it is missing or damaged. */
export function chunk(name) {
    if (!unpacked.has(name)) unpacked.set(name, unpack(name));
    return unpacked.get(name);
}

async function unpack(name) {
    const element = document.getElementById(`chunk-${name}`);
    if (!element)
        throw new Problem(`This page has no data "${name}". \`make explore\` makes a whole one.`);
    if (typeof DecompressionStream === "undefined")
        throw new Problem(
            "This page needs a browser of 2023 or later: this one has no DecompressionStream.",
        );
    try {
        const bytes = Uint8Array.from(atob(element.textContent.trim()), (c) => c.charCodeAt(0));
        const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
        return await new Response(stream).json();
    } catch (error) {
        throw new Problem(
            `The data "${name}" of this page is damaged (${error.message}). \`make explore\` makes it anew.`,
        );
    }
}

/** The recording of the index's @entry, checked. Throws a Problem. */
export async function load(entry) {
    if (entry.problem) throw new Problem(`${entry.name} cannot be played: ${entry.problem}`);
    const shelf = await chunk(entry.chunk);
    const packed = shelf.recordings?.[entry.name];
    if (!packed)
        throw new Problem(
            `${entry.name} is listed, but its recording is missing. \`make explore\` records it.`,
        );
    const recording = { ...entry, ...packed };
    check(recording);
    const table = shelf.code;
    recording.steps = recording.steps.map((step) =>
        "at" in step ? { ...step, code: table[step.at] } : step,
    );
    recording.code = Object.fromEntries(recording.code.map((i) => [table[i].rip, table[i]]));
    return recording;
}

/** Throw a Problem unless @recording is one that this page can play. */
function check(recording) {
    const { name, format } = recording;
    if (format > FORMAT)
        throw new Problem(
            `${name} is of format ${format}, and this page knows ${FORMAT}: take a newer page, by \`make explore\`.`,
        );
    const sound =
        format === FORMAT &&
        recording.start?.registers?.rsp &&
        Array.isArray(recording.start.window) &&
        Array.isArray(recording.code) &&
        Array.isArray(recording.steps) &&
        recording.steps.every((step) => step && typeof step === "object");
    if (!sound)
        throw new Problem(
            `The recording of ${name} is malformed: it has no start, code and steps as format ${FORMAT} wants them.`,
        );
}
