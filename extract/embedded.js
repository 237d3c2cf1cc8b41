// JSON that the document holds itself: in scripts of a JSON type, by their id,
// and assigned to a variable, by its name. It is text; nothing of it is run.

/** More characters than this are left out of the answer. */
const MOST_EMBEDDED = 20_000_000;
const ASSIGNED = /^[\s;]*(?:var\s+|let\s+|const\s+)?(?:window\.|self\.|globalThis\.)?([A-Za-z_$][\w$]*)\s*=\s*(?=[[{])/;

/** @returns {{name: string, text: string, large?: boolean}[]} */
function embeddedJSON() {
  const found = [];
  let size = 0;
  for (const el of find(document, 'script:not([src])')) {
    const type = (attribute(el, 'type') ?? '').trim().toLowerCase();
    const text = textContent(el);
    const assigned = type === '' || /javascript$|^module$/.test(type) ? ASSIGNED.exec(text) : null;
    const name = assigned ? assigned[1] : attribute(el, 'id') ?? 'json';
    if (assigned === null && !/json$/.test(type)) continue;
    const body = assigned ? text.slice(assigned[0].length) : text;
    size += body.length;
    found.push(size > MOST_EMBEDDED ? { name, text: '', large: true } : { name, text: body });
  }
  return found;
}
