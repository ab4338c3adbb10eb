// The address: every state of the page has one, behind the #.
//
//      #/trap/NAME/STEP            a recording
//      #/trap/NAME/STEP/vs/NAME    two of them; STEP is a row of both
//      #/TAB?filter=...            a tab

/** What the address bar says: { tab, trap, step, vs, query }. */
export function read() {
    const [path, query] = location.hash.replace(/^#\/?/, "").split("?");
    const parts = path.split("/").map(decode);
    const route = { tab: parts[0] || "trap", query: new URLSearchParams(query ?? "") };
    if (route.tab === "trap") {
        route.trap = parts[1] || null;
        route.step = Math.max(0, Number.parseInt(parts[2], 10) || 0);
        route.vs = parts[3] === "vs" ? parts[4] || null : null;
    } else {
        route.item = parts[1] || null;
    }
    return route;
}

function decode(text) {
    try {
        return decodeURIComponent(text);
    } catch {
        return text;
    }
}

/** The address of step @step of the recording @trap, beside that of @vs. */
export function trapAddress(trap, step = 0, vs = null) {
    const beside = vs ? `/vs/${encodeURIComponent(vs)}` : "";
    return `#/trap/${encodeURIComponent(trap)}/${step}${beside}`;
}

const REST = 120; // milliseconds; browsers allow a page a hundred changes in half a minute

let waiting = 0;

/**
 * Like replace(), when there has been a moment's rest: a key held down is many addresses. Not if
 * somebody has gone elsewhere meanwhile, which the page is told only after this.
 */
export function replaceAtRest(address) {
    const before = location.hash;
    clearTimeout(waiting);
    waiting = setTimeout(() => location.hash === before && replace(address), REST);
}

/** What is shown is now @address: put that into the address bar, without adding to the history. */
export function replace(address) {
    clearTimeout(waiting);
    history.replaceState(null, "", address || "#/");
    document.documentElement.dataset.shown = location.hash; // for whoever watches from outside
}
