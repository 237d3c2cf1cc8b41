// What names the rows of a window, so that windows can be put together: a key of
// their own; else how they go on from the rows of the window before; else their
// place. Never their text: equal rows are rows of their own.

/** The name that nameRows gave a row. */
const keyOf = (row) => row.key ?? row.name;

/** Gives the rows of a <table> the numbers by which its author counts them, where every row of the window has one of its own. */
function numberRows(formed) {
  if (formed === null || formed.kind !== 'html') return;
  const numbers = formed.rows.map((row) => rowNumber(row.el));
  if (numbers.includes(null) || new Set(numbers).size < numbers.length) return;
  formed.rows.forEach((row, i) => {
    row.number = numbers[i];
    row.key = 'number=' + numbers[i];
  });
}

/**
 * Names the rows of a window, and takes down their place while they are there.
 * @returns {boolean} whether the window has a row in common with the one before
 */
function nameRows(harvest, formed, scroller) {
  const base = scroller === null ? 0 : upperEdge(scroller) - scroller.scrollTop;
  for (const row of formed.rows) {
    const box = rowBox(row);
    row.top = box.top - base;
    row.bottom = box.bottom - base;
    row.name = 'top=' + Math.round(row.top);
  }
  const last = harvest.window;
  if (formed.rows.length > 0 && formed.rows.every((row) => row.key)) {
    return last === null || formed.rows.some((row) => row.key === last.rows.at(-1).key);
  }
  if (last === null) {
    formed.rows.forEach((row, i) => (row.place = i));
    if (harvest.byElement) formed.rows.forEach((row) => (row.name = 'place=' + row.place));
    return true;
  }
  const first = followsOn(last, formed, clientHeight(scroller));
  // The second window decides how the rows of this grid are named.
  if (harvest.byElement === undefined) {
    harvest.byElement = first !== null;
    if (harvest.byElement) rename(harvest, 'place=');
  }
  if (!harvest.byElement) return formed.rows.some((row) => row.name === last.rows.at(-1).name);
  if (first === null) return false;
  formed.rows.forEach((row, i) => {
    row.place = first + i;
    row.name = 'place=' + row.place;
  });
  return true;
}

/** Names the rows collected so far anew. */
function rename(harvest, prefix) {
  for (const row of harvest.keys.values()) row.name = prefix + row.place;
  harvest.keys = new Map([...harvest.keys.values()].map((row) => [keyOf(row), row]));
}

/**
 * The place, among all rows, of the first row of a window whose elements are
 * those of the window before from some row on: the same ones in the same order
 * with the same texts, about where they were. Null where that is not so: grids
 * that use their elements anew, or draw all of them anew, are no evidence.
 */
function followsOn(last, formed, height) {
  const same = (a, b) => a.el === b.el && Math.abs(a.top - b.top) < height / 2 &&
    textsOf(a.cells).join('\u0001') === textsOf(b.cells).join('\u0001');
  const [before, after] = [last.rows, formed.rows];
  if (before.length === 0 || after.length === 0 || typeof before[0].place !== 'number') return null;
  let shift = before.findIndex((row) => row.el === after[0].el);
  if (shift < 0) {
    const up = after.findIndex((row) => row.el === before[0].el);
    if (up < 0) return null;
    shift = -up;
  }
  const from = Math.max(shift, 0);
  const to = Math.min(before.length, after.length + shift);
  if (from >= to) return null;
  for (let i = from; i < to; i++) if (!same(before[i], after[i - shift])) return null;
  return before[0].place + shift;
}

/** Orders rows that have no key. Those known by nothing but their place must lie one below the other, or their number proves nothing. */
function orderKeyless(harvest) {
  const rows = harvest.rows;
  if (harvest.byElement) {
    rows.sort((a, b) => a.place - b.place);
    return;
  }
  rows.sort((a, b) => a.top - b.top);
  if (harvest.formed.between) return; // what stands between the rows of a grouped grid is not read
  const apart = rows.findIndex((row, i) => i > 0 && Math.abs(row.top - rows[i - 1].bottom) > (row.bottom - row.top) / 2);
  if (apart >= 0) tear(harvest, 'rows ' + thousands(apart) + ' and ' + thousands(apart + 1) + ' do not lie one below the other');
}
