// What the recipe wants of the page: for every table of the job the targets
// found now. A target is one grid of the answer.

/** Elements that may be a table of data. */
const CANDIDATES = 'table,' + GRIDS;

/** True for an element that is a table or grid by itself. */
const isTable = (el) => localName(el) === 'table' || isGrid(el);

/** The tables and grids at or below an element; nested tables count, what a grid of divs is made of does not. */
function tablesIn(root) {
  const below = find(root, CANDIDATES);
  const all = root !== document && matches(root, CANDIDATES) ? [root, ...below] : below;
  const kept = all.filter(isTable);
  const divs = kept.filter((el) => localName(el) !== 'table');
  return kept.filter((el) => !divs.some((other) => other !== el && contains(other, el)));
}

/** Leaves out what is not displayed and tables made for layout, unless nothing else is there. */
function shownTables() {
  const all = tablesIn(document).filter(displayed);
  const data = all.filter((el) => !/^(presentation|none)$/.test(attribute(el, 'role') ?? '') || closest(el, '.dt-scroll') !== null);
  return data.length > 0 ? data : all;
}

/**
 * The elements that a table of the job is read from, each group one grid.
 * @returns {Element[][]} groups of tables, or of one element for `each: page`
 */
function targetsOf(table) {
  if (table.mode === 'each') return [findAll(table, table.css)];
  if (table.mode === 'page') return [[documentElement(document)]];
  if (table.mode === 'none') return [];
  if (table.mode === 'from') {
    const groups = [];
    const taken = new Set();
    for (const el of findAll(table, table.css)) {
      let parts = isTable(el) ? [el] : tablesIn(el);
      if (parts.length === 0 && closest(el, 'table') !== null) parts = [closest(el, 'table')];
      parts = parts.filter((part) => !taken.has(part));
      parts.forEach((part) => taken.add(part));
      if (parts.length > 0) groups.push(parts);
    }
    return groups;
  }
  const all = shownTables();
  return all.length > 0 ? [all] : [];
}

/** So far around a table is looked for what belongs to it. */
const LEVELS = 4;

/** The elements around a table, the nearest first, as far as no other table is in them. */
function placesAround(el, others) {
  const places = [];
  for (let place = parentElement(el); places.length < LEVELS && place !== null && localName(place) !== 'html'; place = parentElement(place)) {
    if (others.some((other) => other !== el && !contains(el, other) && contains(place, other))) break;
    places.push(place);
  }
  return places;
}

/** What matches in the last of the places around a table and not in it: looked for once for all of them. */
const besideTable = (el, places, css) => (places.length === 0 ? [] : find(places.at(-1), css).filter((e) => !contains(el, e)));

/** Reads one table or grid of divs as it stands. */
const formOne = (el) => (localName(el) === 'table' ? formTable(el) : formGrid(el));

/**
 * Reads the targets of a table of the job as they stand.
 * @returns {Formed[]}
 */
function formTargets(table) {
  if (table.mode === 'each' || table.mode === 'page' || table.mode === 'none') {
    const els = targetsOf(table)[0] ?? [];
    const rows = els.map((el) => ({ el, cells: [], key: rowKey(el), number: rowNumber(el) }));
    return [{ kind: 'each', el: els[0] ?? documentElement(document), caption: '', head: [], rows, foot: [], width: 0 }];
  }
  const out = [];
  for (const group of targetsOf(table)) {
    const stacked = joinStacked(group.map(formOne));
    out.push(...(table.mode === 'from' && group.length > 1 ? joinBeside(stacked) : stacked));
  }
  return table.mode === 'from' ? joinStacked(out) : out;
}

/** The elements whose changes hold the reading: the wanted tables, or the elements that are rows. */
function wantedElements() {
  const out = [];
  for (const table of job.tables) {
    for (const group of targetsOf(table)) out.push(...group);
  }
  return out;
}
