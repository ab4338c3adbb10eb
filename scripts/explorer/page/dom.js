// Making elements: the little of it that this page needs.

/** Make a <tag>. Attributes that are false or null are left out; "on..." ones are listeners. */
export function el(tag, attributes = {}, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
        if (value === null || value === undefined || value === false) continue;
        if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
        else element.setAttribute(name, value === true ? "" : value);
    }
    element.append(
        ...children.flat(Infinity).filter((child) => child !== null && child !== undefined),
    );
    return element;
}

/** Like el(), for a drawing. */
export function svg(tag, attributes = {}, ...children) {
    const element = document.createElementNS("http://www.w3.org/2000/svg", tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    element.append(...children.flat(Infinity));
    return element;
}

/** Text for those who listen and do not look. */
export function unseen(text) {
    return el("span", { class: "unseen" }, text);
}

/** A link that leaves the page. */
export function manual(text, address) {
    return el("a", { href: address, rel: "external noreferrer" }, text);
}

/** @text with what stands in `backquotes` as code. */
export function prose(text) {
    return text.split("`").map((part, i) => (i % 2 ? el("code", {}, part) : part));
}
