// Grids of <div>s: by their ARIA roles, and Tabulator by its classes. A row may
// be spread over several lanes (frozen columns) and the DOM order may be any,
// so rows are put together by their key and ordered by their index.

const GRIDS = '[role="grid"],[role="table"],[role="treegrid"],.tabulator';
const GRID_ROWS = '[role="row"],.tabulator-row';
const GRID_CELLS = '[role="gridcell"],[role="cell"],[role="columnheader"],[role="rowheader"],.tabulator-cell,.tabulator-col';
const NO_ROWS = '.tabulator-calcs,.tabulator-placeholder,.tabulator-group';

/** Attributes that name a row, most dependable first. */
const ROW_KEYS = ['aria-rowindex', 'row-id', 'data-id', 'data-rowindex', 'row-index', 'data-row-key', 'data-index'];
/** Of these, the ones that count rows. */
const ROW_NUMBERS = ['aria-rowindex', 'data-rowindex', 'row-index', 'data-index'];
const CELL_KEYS = ['col-id', 'data-field', 'tabulator-field', 'data-column-id'];

/** An attribute that is a whole number, else null. So is one too large to count anything. */
function wholeNumber(el, name) {
  const text = attribute(el, name);
  return text !== null && /^-?\d+$/.test(text) && Number.isSafeInteger(Number(text)) ? Number(text) : null;
}

/** The key of a row, null when nothing names it. The attribute's name is part of it. */
function rowKey(el) {
  for (const name of ROW_KEYS) {
    const value = attribute(el, name);
    if (value !== null && value !== '') return name + '=' + value;
  }
  return null;
}

/** The number that orders a row, null when it has none. */
function rowNumber(el) {
  for (const name of ROW_NUMBERS) {
    const number = wholeNumber(el, name);
    if (number !== null) return number;
  }
  return null;
}

/**
 * True for a grid of its own kind: roles on elements that are no <table>, with
 * rows that are no <tr>, or with a <tr> that is a part of the grid alone.
 */
function isGrid(el) {
  if (localName(el) === 'table' || !matches(el, GRIDS)) return false;
  const rows = find(el, GRID_ROWS);
  if (rows.length === 0) return attribute(el, 'role') !== 'table' && findOne(el, 'table') === null;
  return rows.some((row) => (localName(row) !== 'tr' || isPartOfGrid(row)) && closest(row, GRIDS) === el);
}

/**
 * True for a <tr> of a table that is none by its own role, with its place in the
 * grid around it on it and on its cells: grids that freeze rows and columns are
 * made of several such tables.
 */
function isPartOfGrid(row) {
  const table = closest(row, 'table');
  if (table === null || !/^(presentation|none)$/.test(attribute(table, 'role') ?? '') || wholeNumber(row, 'aria-rowindex') === null) return false;
  const cells = childrenOf(row);
  return cells.length > 0 && cells.every((cell) => wholeNumber(cell, 'aria-colindex') !== null);
}

/** Reads one grid of divs as it stands. Cells stand at their column's number. @returns {Formed} */
function formGrid(root) {
  const eyes = eyesFor(root);
  const fields = fieldsOf(root);
  const lanes = new Map(); // row key -> row
  const heads = []; // as they stand, in lanes
  const [head, rows, foot] = [[], [], []];
  let between = false; // something that is no row stands among the rows
  for (const el of find(root, GRID_ROWS)) {
    if (closest(el, GRIDS) !== root || eyes(el) !== '') continue;
    if (matches(el, NO_ROWS)) {
      between = true;
      continue;
    }
    if (closest(el, '.tabulator-header,.tabulator-calcs-holder') !== null) continue;
    const cells = gridCells(el, root, eyes, fields);
    if (cells.length === 0) continue;
    if (cells.every((slot) => !slot || slot.head)) heads.push({ el, cells });
    else if (/^[tb]-/.test(attribute(el, 'row-id') ?? attribute(el, 'row-index') ?? '')) joinLanes(foot, lanes, el, cells);
    else joinLanes(rows, lanes, el, cells);
  }
  const above = heads.length > 0 ? columnsAt(root, rows) : null;
  lanes.clear();
  for (const { el, cells } of heads) joinLanes(head, lanes, el, overColumns(cells, above));
  for (const el of find(root, '.tabulator-header')) {
    if (closest(el, GRIDS) === root) head.push(...tabulatorHead(el, eyes, fields));
  }
  const width = Math.max(0, ...[head, rows, foot].map((list) => list.reduce((w, row) => Math.max(w, row.cells.length), 0)));
  for (const row of [...head, ...rows, ...foot]) row.cells = Array.from({ length: width }, (_, i) => row.cells[i] ?? null);
  sortRows(head);
  sortRows(rows);
  const label = attribute(root, 'aria-label') ?? labelOf(root);
  return { kind: 'aria', el: root, caption: fold(label ?? ''), head, rows, foot, width, between };
}

/** Adds a row, or what a lane has of it to the row that is there. */
function joinLanes(list, lanes, el, cells) {
  const key = rowKey(el);
  const lane = key === null ? undefined : lanes.get(key);
  if (lane && (!cells.some((slot, i) => slot && lane.cells[i]) || isClone(el, cells, lane))) {
    cells.forEach((slot, i) => (lane.cells[i] ??= slot));
    return;
  }
  // A second row with the same columns shows that the key names no row.
  const row = { el, cells, key: lane ? null : key, number: rowNumber(el) };
  if (key !== null && !lane) lanes.set(key, row);
  list.push(row);
}

/**
 * The columns whose cells begin at a place across, in px, by the first row of
 * each lane. Only for a grid of tables: those number their header cells by what
 * is drawn, and not by what there is.
 * @returns {Map<number, Set<number>>|null}
 */
function columnsAt(root, rows) {
  const first = rows[0]?.key;
  if (first === undefined || first === null || localName(rows[0].el) !== 'tr') return null;
  const out = new Map();
  for (const tr of find(root, 'tr[role="row"]')) {
    if (rowKey(tr) !== first) continue;
    for (const cell of childrenOf(tr)) {
      const left = Math.round(rectOf(cell).left);
      const column = wholeNumber(cell, 'aria-colindex');
      if (column !== null) out.set(left, (out.get(left) ?? new Set()).add(column - 1));
    }
  }
  return out;
}

/** Header cells moved over the columns above which they are drawn, where all of them stand off by the same number. */
function overColumns(cells, above) {
  if (above === null) return cells;
  const over = cells.map((slot) => (slot ? above.get(Math.round(rectOf(slot.el).left)) : undefined));
  const fits = (shift) => over.every((columns, i) => columns === undefined || columns.has(i + shift));
  if (fits(0)) return cells;
  const at = over.findIndex((columns) => columns !== undefined);
  const shifts = [...over[at]].map((column) => column - at).filter(fits);
  if (shifts.length !== 1) return cells;
  const out = [];
  cells.forEach((slot, i) => slot && i + shifts[0] >= 0 && (out[i + shifts[0]] = slot));
  return out;
}

/** Columns that are known by a field alone: field -> number, in the order in which they were first drawn, headers first. */
const knownFields = new WeakMap();
function fieldsOf(root) {
  if (!knownFields.has(root)) knownFields.set(root, new Map());
  return knownFields.get(root);
}

/**
 * True when a row is drawn a second time elsewhere, as grids do with what they
 * freeze: another parent, the same place in the grid by row and column, and in
 * the cells that both have the same text.
 */
function isClone(el, cells, lane) {
  if (parentElement(el) === parentElement(lane.el) || wholeNumber(el, 'aria-rowindex') === null) return false;
  return cells.every((slot, i) => !slot || !lane.cells[i] ||
    (wholeNumber(slot.el, 'aria-colindex') !== null && slot.text === lane.cells[i].text));
}

/** Orders rows by their number where all have one; else the DOM's order stays. */
function sortRows(rows) {
  if (rows.every((row) => row.number !== null && row.number !== undefined)) rows.sort((a, b) => a.number - b.number);
}

function labelOf(root) {
  const id = attribute(root, 'aria-labelledby');
  const el = id ? find(document, '#' + CSS.escape(id.split(' ')[0]))[0] : null;
  return el ? el.textContent : null;
}

/** The cells of a row by column number. */
function gridCells(row, root, eyes, fields) {
  const cells = [];
  let next = columnIndex(row) ?? 0;
  for (const el of find(row, GRID_CELLS + ',td,th')) {
    if (closest(el, GRID_ROWS) !== row || eyes(el) !== '') continue;
    if (matches(el, '.tabulator-col-group')) continue;
    const role = attribute(el, 'role');
    const isHead = role === 'columnheader' || localName(el) === 'th' || matches(el, '.tabulator-col');
    const at = columnOf(el, fields) ?? next;
    const span = Math.min(Math.max(wholeNumber(el, 'aria-colspan') ?? el.colSpan ?? 1, 1), 1000);
    const slot = { text: gridText(el, eyes), th: isHead, head: isHead, wide: span > 1, el };
    for (let i = 0; i < span; i++) cells[at + i] ??= slot;
    next = at + span;
  }
  return cells;
}

/** Tabulator puts the title beside the marks for sorting and the filter. */
function gridText(el, eyes) {
  const title = matches(el, '.tabulator-col') ? findOne(el, '.tabulator-col-title') : null;
  const label = title ?? (matches(el, '.ag-header-cell') ? findOne(el, '.ag-header-cell-text') : null);
  return textOf(label ?? el, eyes);
}

/** The column, 0-based, that a cell or the first of a row says it has; null for none that can be. */
function columnIndex(el) {
  const index = wholeNumber(el, 'aria-colindex');
  return index !== null && index > 0 && index <= 20_000 ? index - 1 : null;
}

/** The number of a cell's column, 0-based; null when nothing but its place says it. */
function columnOf(el, fields) {
  const index = columnIndex(el);
  if (index !== null) return index;
  for (const name of CELL_KEYS) {
    const field = attribute(el, name);
    if (field === null || field === '') continue;
    if (!fields.has(field)) fields.set(field, fields.size);
    return fields.get(field);
  }
  return null;
}

/** Tabulator's header is one element of nested column groups: one row of groups, one of columns. */
function tabulatorHead(header, eyes, fields) {
  const groups = [];
  const columns = [];
  let next = 0;
  for (const el of find(header, '.tabulator-col')) {
    if (matches(el, '.tabulator-col-group') || eyes(el) !== '') continue;
    const at = columnOf(el, fields) ?? next;
    next = at + 1;
    columns[at] = { text: gridText(el, eyes), th: true, head: true, wide: false, el };
    const group = closest(el, '.tabulator-col-group');
    if (group === null) continue;
    const title = findOne(group, '.tabulator-col-title');
    groups[at] = { text: title ? textOf(title, eyes) : '', th: true, head: true, wide: false, el: group };
  }
  if (columns.length === 0) return [];
  const rows = [{ el: header, cells: columns, key: null, number: 1 }];
  if (groups.length > 0) rows.unshift({ el: header, cells: groups, key: null, number: 0 });
  return rows;
}

/**
 * The number of data rows that a grid states: aria-rowcount less its header and
 * foot rows, as far as these are counted in it. Grids that number their first
 * data row 1 leave the header out of the count.
 */
function statedRows(formed) {
  const count = wholeNumber(formed.el, 'aria-rowcount');
  if (count === null || count <= 0) return null;
  const first = formed.rows.length > 0 ? wholeNumber(formed.rows[0].el, 'aria-rowindex') : null;
  if (first === 1) return count;
  const foot = formed.foot.filter((row) => hasAttribute(row.el, 'aria-rowindex')).length;
  return Math.max(count - formed.head.length - foot, 0);
}
