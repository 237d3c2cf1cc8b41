// HTML tables by the HTML Standard's "forming a table", from the rendered DOM:
// row groups end all spans, spans are those the browser counts, a slot that two
// cells claim is the row's own cell's, and rows and columns in which no cell
// begins are left out.

/** A read is stopped beyond so many slots; the page is too large then. */
const MAX_SLOTS = 4_000_000;

/**
 * @typedef {{text: string, th: boolean, wide: boolean, el: Element}} Slot one cell; spans share it
 * @typedef {{el: Element, cells: (Slot|null|undefined)[], role?: string, key?: string, top?: number}} Row
 * @typedef {{kind: string, el: Element, caption: string, head: Row[], rows: Row[], foot: Row[], width: number}} Formed
 */

/** The row groups of a table in the order of the Standard: foot last, wherever it stands. */
function rowGroups(table, eyes) {
  const groups = [];
  const feet = [];
  let loose = null; // rows that stand directly in the table
  for (const child of childrenOf(table)) {
    const name = localName(child);
    if (name === 'tr') {
      if (loose === null) groups.push((loose = { name: 'tbody', unseen: false, rows: [] }));
      loose.rows.push(child);
      continue;
    }
    if (name !== 'thead' && name !== 'tbody' && name !== 'tfoot') continue;
    loose = null;
    const hidden = eyes(child);
    if (hidden === 'none') continue;
    const group = { name, unseen: hidden === 'unseen', rows: childrenOf(child).filter((row) => localName(row) === 'tr') };
    (name === 'tfoot' ? feet : groups).push(group);
  }
  return groups.concat(feet);
}

/**
 * The cells of a row. Rows and cells are asked by their own properties: only forms,
 * objects and the document show elements of the page in place of those, and a large
 * table is a third faster to read so.
 */
function cellsOf(tr) {
  const live = tr.cells;
  const cells = [];
  for (let i = 0, n = live.length; i < n; i++) cells.push(live[i]);
  return cells;
}

/**
 * The rows of one group as slots. anchors collects the columns in which a cell begins.
 * @returns {Row[]}
 */
function formGroup(group, eyes, anchors, budget, spans) {
  const rows = [];
  const grown = []; // by column: {slot, left} of cells that reach down, the last to begin last
  for (const tr of group.rows) {
    const state = eyes(tr, group.unseen);
    if (state === 'none') continue;
    const shown = [];
    for (const cell of cellsOf(tr)) {
      const hidden = eyes(cell, state !== '');
      if (hidden !== 'none') shown.push({ cell, unseen: hidden === 'unseen' });
    }
    const slots = [];
    grown.forEach((cells, column) => {
      if (cells.length === 0) return;
      grown[column] = cells.filter((g) => g.left-- > 0);
      if (grown[column].length > 0) slots[column] = grown[column].at(-1).slot;
      budget.take(cells.length);
    });
    let column = 0;
    let dark = state === 'unseen'; // nothing of the row is visible
    for (const { cell, unseen } of shown) {
      while (slots[column] !== undefined) column++;
      const columns = spans ? cell.colSpan : 1;
      const deep = !spans ? 0 : cell.rowSpan === 0 ? Infinity : cell.rowSpan - 1;
      const text = textOf(cell, eyes, unseen);
      dark &&= unseen && text === '';
      const slot = { text, th: cell.localName === 'th', wide: false, columns, el: cell };
      anchors.add(column);
      for (let i = 0; i < columns; i++) {
        slots[column + i] = slot;
        if (deep > 0) (grown[column + i] ??= []).push({ slot, left: deep });
      }
      column += columns;
      budget.take(columns);
    }
    if (shown.length > 0 && !dark && !isPadding(tr, shown, group.rows)) rows.push({ el: tr, cells: slots, own: shown.length });
  }
  return rows;
}

/** A height that an element has by itself, not by a rule for its kind. */
const hasOwnHeight = (el) => hasAttribute(el, 'height') || /(^|;)\s*(min-)?height\s*:/i.test(attribute(el, 'style') ?? '');

/**
 * True for a row that only takes up the place of rows which are not drawn: the
 * first or last of its group, one cell with nothing in it, a height of its own.
 */
function isPadding(tr, cells, all) {
  if (cells.length !== 1 || (tr !== all[0] && tr !== all[all.length - 1])) return false;
  const [{ cell }] = cells;
  return childrenOf(cell).length === 0 && cell.textContent.trim() === '' && (hasOwnHeight(cell) || hasOwnHeight(tr));
}

class TooLarge extends Error {}

/** How many slots a table may still take. */
class Budget {
  slots = MAX_SLOTS;

  take(slots) {
    this.slots -= slots;
    if (this.slots < 0) throw new TooLarge();
  }
}

/** Reads one <table>. @returns {Formed} */
function formTable(table) {
  const eyes = eyesFor(table);
  const anchors = new Set();
  const budget = new Budget();
  const spans = findOne(table, '[colspan],[rowspan]') !== null;
  let head = [];
  const rows = [];
  const foot = [];
  for (const group of rowGroups(table, eyes)) {
    const formed = formGroup(group, eyes, anchors, budget, spans);
    if (group.name === 'tfoot') foot.push(...formed);
    else if (group.name === 'tbody') rows.push(...formed);
    else if (rows.length === 0) head.push(...formed);
    else rows.push(...formed.map((row) => ({ ...row, role: 'header' })));
  }
  const columns = [...anchors].sort((a, b) => a - b);
  for (const row of [...head, ...rows, ...foot]) {
    row.cells = columns.map((column) => row.cells[column] ?? null);
    markWide(row.cells);
  }
  if (head.length === 0) head = leadingHeader(rows, columns.length);
  const caption = childrenOf(table).find((c) => localName(c) === 'caption');
  return {
    kind: 'html', el: table, caption: caption ? textOf(caption, eyes) : '',
    head, rows, foot, width: columns.length,
  };
}

/** Marks the cells that cover several of the columns that are left. */
function markWide(cells) {
  cells.forEach((slot, i) => {
    if (slot && i > 0 && cells[i - 1] === slot) slot.wide = true;
  });
}

/** True when one cell covers the whole width of a table of several columns. */
const acrossAll = (cells) => cells.length > 1 && cells[0] != null && cells.every((slot) => slot === cells[0]);

/**
 * Takes the leading rows whose cells are all <th> off the rows: they are the
 * header where there is no thead. A section label below a header is none of it,
 * and where every row is of <th> only the first is a header.
 */
function leadingHeader(rows, width) {
  let count = 0;
  while (count < rows.length && rows[count].cells.every((slot) => slot === null || slot.th)) {
    if (count > 0 && width > 1 && acrossAll(rows[count].cells)) break;
    count++;
  }
  if (count === rows.length && count > 1 && rows.every((row) => row.cells.every((slot) => slot === null || slot.th))) count = 1;
  return rows.splice(0, count);
}
