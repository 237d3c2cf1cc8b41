// Links that the recipe follows. A link in a row belongs to the row, whose
// columns become its variables; the others belong to the page.

/** A page with more links than this is too large. */
const MAX_LINKS = 100_000;

const baseURI = getter(Node.prototype, 'baseURI');

const linksSeen = {
  numbers: new WeakMap(), // element -> Map of its source and URL -> number
  ofRows: new WeakSet(), // elements that were rows, or cells that stand outside of their row's element
  loose: new Map(), // number -> link in no row
  told: new Set(), // numbers of those that were sent with a part
  matched: -1, // elements that the selectors matched when last asked
};

/**
 * One link of the answer; null for an element without a place to lead to. Its
 * number tells it from others, in the order in which they were first seen; an
 * element that was given another URL is another link.
 * @returns {{s: number, u: string, i: number}|null} s: which of the job's selectors
 */
function linkOf(el, source) {
  const href = attribute(el, 'href');
  if (href === null) return null;
  let url;
  try {
    url = new URL(href, baseURI(document)).href;
  } catch {
    return null;
  }
  if (!/^https?:/.test(url)) return null;
  let numbers = linksSeen.numbers.get(el);
  if (numbers === undefined) linksSeen.numbers.set(el, (numbers = new Map()));
  const key = source + ' ' + url;
  if (!numbers.has(key)) {
    if (++memory.links > MAX_LINKS) throw new TooLarge('too many links');
    numbers.set(key, memory.links);
  }
  return { s: source, u: url, i: numbers.get(key) };
}

/** The elements that a selector of links matches; in comments too where a table is read from there. */
const linksIn = (css) => [...find(document, css), ...(job.tables.some((t) => t.comments) ? findAll({ comments: true }, css) : [])];

/** Calls f with every element that is a link now, and what is sent of it. */
function eachLink(f) {
  job.links.forEach((css, source) => {
    for (const el of linksIn(css)) {
      const link = linkOf(el, source);
      if (link !== null) f(el, link);
    }
  });
}

/** The nearest of an element and those around it that is one of a set. */
function nearestIn(el, set) {
  for (let node = el; node !== null; node = parentElement(node)) {
    if (set.has(node)) return node;
  }
  return null;
}

/** Gives rows their links while their elements are there. The page as a row has none of its own. */
function readLinks(table, rows) {
  if (job.links.length === 0 || table.mode === 'page') return;
  const rowOf = new Map();
  for (const row of rows) {
    row.links = [];
    if (!rowOf.has(row.el)) rowOf.set(row.el, row);
    for (const slot of row.cells) {
      if (slot && !rowOf.has(slot.el) && !contains(row.el, slot.el)) rowOf.set(slot.el, row);
    }
  }
  for (const el of rowOf.keys()) linksSeen.ofRows.add(el);
  eachLink((el, link) => {
    const around = nearestIn(el, rowOf);
    if (around !== null) rowOf.get(around).links.push(link);
  });
}

/** Adds the links of a further reading of a row to those that are known. */
function joinLinks(known, row) {
  const other = (link) => !known.links.some((k) => k.s === link.s && k.u === link.u);
  if (row.links && known.links) known.links.push(...row.links.filter(other));
}

/** Notes the links in no row as the page stands. A row that is not displayed was not read, and is none of the page either. */
function noteLinks() {
  eachLink((el, link) => {
    if (nearestIn(el, linksSeen.ofRows) !== null) return;
    const row = closest(el, 'tr,[role="row"]');
    if (!linksSeen.told.has(link.i) && (row === null || askHidden(row) !== 'none')) linksSeen.loose.set(link.i, link);
  });
}

/**
 * The quiet time in ms that the links need. That some came or went is a change
 * of the page; where no table is wanted, they are waited for like one.
 */
function linksNeed() {
  if (job.links.length === 0) return 0;
  const matched = job.links.reduce((sum, css) => sum + linksIn(css).length, 0);
  const changed = matched !== linksSeen.matched;
  linksSeen.matched = matched;
  if (changed) {
    watch.version++;
    watch.last = now();
    return Infinity; // until asked again
  }
  if (matched > 0 || job.tables.length > 0) return 0;
  if (spinnerIn(document)) {
    watch.spinnerSeen = true;
    return Infinity;
  }
  return job.ready ? QUIET : QUIET_EMPTY;
}

/** The links in no row that have not been sent yet. */
function looseLinks() {
  const links = [...linksSeen.loose.values()];
  for (const link of links) linksSeen.told.add(link.i);
  linksSeen.loose.clear();
  return links;
}
