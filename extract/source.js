// Rows from their source: what the page has fetched, or the library that draws a
// grid, may hold all rows of which a few are drawn. Some windows of the grid are
// shown to Go, which has the responses and decides; the rows are then taken as the
// answer gives them. In any doubt the grid is scrolled, or its pages turned, as if
// nobody had asked.

let questions = 0;
let questionAnswered = null;
globalThis.__tabfarm_told = (number, answer) => {
  if (number === questions && questionAnswered !== null) questionAnswered(answer === '' ? NO_SOURCE : JSON.parse(answer));
};

/** Nothing agrees. */
const NO_SOURCE = { fits: false };
/** The longest question in characters. */
const MAX_QUESTION = 10_000_000;
/** So often a grid is asked about. */
const MAX_QUESTIONS = 4;

/** Asks about the source of a grid. @returns {Promise<{fits: boolean, look?: number[], of?: number, rows?: string[][]}>} */
function askSource(question) {
  const text = JSON.stringify(question);
  if (text.length > MAX_QUESTION) return Promise.resolve(NO_SOURCE);
  const chunks = cut(text);
  for (const chunk of chunks.slice(0, -1)) send('tell ' + chunk);
  return new Promise((resolve) => {
    questionAnswered = resolve;
    send('ask ' + ++questions + ' ' + chunks.at(-1));
  });
}

/** The rows that the library of a grid gives, as JSON; '' for none. */
function rowsOfLibrary(el) {
  let rows = '';
  const hear = (event) => (rows = String(event.detail));
  listen(document, SECRET + 'h', hear);
  dispatch(el, new CustomEvent(SECRET + 'g', { bubbles: true, composed: true }));
  unlisten(document, SECRET + 'h', hear);
  return rows;
}

/** True where rows may come from a response: nothing is wanted of them but the texts of their cells, and links if there are some. */
const mayHaveSource = (harvest) => !job.next && !job.frame && job.links.length === 0 && !harvest.noSource &&
  harvest.table.mode !== 'each' && harvest.table.rows === 'all' && !harvest.table.skip && harvest.table.fields.length === 0 &&
  (job.look || !harvest.table.attrs);

/** True for a cell that has nothing but its text. */
const onlyTextIn = (slot) => !slot.wide && Object.values(slot.attrs ?? {}).every((value) => value === null);

/**
 * The texts of rows in some columns; null where that is not all that there is to
 * them: rows of another kind, cells across columns, cells that are not there.
 */
function plainTexts(formed, columns) {
  if (formed.between || formed.rows.length === 0) return null;
  const whole = (row) => row.role === '' && columns.every((i) => row.cells[i] && onlyTextIn(row.cells[i]));
  return formed.rows.every(whole) ? formed.rows.map((row) => columns.map((i) => row.cells[i].text)) : null;
}

/** A window as it is shown; null where it has something that no response holds. */
function windowOf(formed, columns, base) {
  const rows = plainTexts(formed, columns);
  if (rows === null) return null;
  const numbers = formed.rows.map((row) => row.number);
  if (!numbers.every((n) => typeof n === 'number')) return { rows };
  return numbers.every((n, i) => n === numbers[0] + i) ? { rows, at: numbers[0] - (base ?? numbers[0]) } : null;
}

/** Makes the rows of the answer those of the harvest. */
function takeRows(harvest, formed, columns, rows) {
  const el = formed.el;
  harvest.formed = formed;
  harvest.rows = rows.map((texts) => {
    const cells = Array.from({ length: formed.width }, () => null);
    texts.forEach((text, i) => (cells[columns[i]] = { text, th: false, wide: false, el }));
    return { el, cells, role: '', cls: '' };
  });
  harvest.proof = 'source';
}

/** Takes the rows of a grid that draws in part from their source. @returns {Promise<boolean>} whether that was possible */
async function fromSource(harvest, scroller, part = false) {
  if (scroller === null || !mayHaveSource(harvest) || harvest.goesOn()) return false;
  const first = prepare(harvest.table, harvest.formed);
  const drawn = keptColumns(harvest);
  const window = windowOf(first, drawn.filter((i) => first.rows.every((row) => row.cells[i])));
  if (window === null || !(await askSource({ windows: [window], count: part ? null : harvest.total, part, grid: part ? '' : rowsOfLibrary(first.el) })).fits) {
    harvest.noSource = true;
    return false;
  }
  harvest.lead = leadOf(harvest.formed, scroller);
  const undo = await widen(harvest, scroller);
  const taken = await fromWindows(harvest, scroller, part);
  if (taken) return true;
  harvest.noSource = true;
  undo();
  scroller.scrollTop = 0;
  await windowReady(harvest, scroller);
  harvest.replace(readAgain(harvest) ?? first);
  return false;
}

/** Shows windows of a grid until there is an answer. */
async function fromWindows(harvest, scroller, part) {
  const across = await acrossOf(harvest, scroller);
  if (harvest.torn) return false;
  const first = await wholeWindow(harvest, scroller, across);
  if (first === null) return false;
  const columns = columnsOfAll(first, statedColumns(harvest));
  const base = first.rows[0]?.number;
  const windows = [columns === null ? null : windowOf(first, columns, base)];
  let count = part ? null : harvest.total;
  for (let i = 0; i < MAX_QUESTIONS && windows.every((w) => w !== null); i++) {
    const answer = await askSource({ windows, count, part, whole: true });
    if (answer.rows) {
      takeRows(harvest, first, columns, answer.rows);
      return true;
    }
    if (!answer.fits || !answer.look) return false;
    for (const row of answer.look) {
      const formed = await windowAt(harvest, scroller, across, row, answer.of);
      const window = formed === null ? null : windowOf(formed, columns, base);
      windows.push(window);
      if (window === null) return false;
      if (row !== answer.of - 1) continue;
      window.last = true;
      const counted = countedRows(first, formed);
      if (counted !== null && count !== null && counted !== count) return false; // it lacks rows, whatever is stated
      count ??= counted;
    }
    more();
  }
  return false;
}

/** The columns of a window, where header and rows have the same ones and as many as are stated; else null. */
function columnsOfAll(formed, stated) {
  const [head, body] = [columnsSeen(formed.head), columnsSeen(formed.rows)];
  const same = head.size === body.size && [...head].every((i) => body.has(i));
  return same && head.size >= stated ? [...head].sort((a, b) => a - b) : null;
}

/** A grid that measures its rows as it draws them has its end further down each time; so often it is gone to. */
const MAX_ENDS = 5;

/** Scrolls to where a row of so many must stand, the last one to the end, and reads the window there; null when there is none. */
async function windowAt(harvest, scroller, across, row, of) {
  if (row < of - 1) {
    scroller.scrollTop = ((row + 0.5) / of) * scrollHeight(scroller) - clientHeight(scroller) / 2;
    return wholeWindow(harvest, scroller, across);
  }
  for (let i = 0; i < MAX_ENDS; i++) {
    scroller.scrollTop = scrollHeight(scroller);
    const formed = await wholeWindow(harvest, scroller, across);
    if (formed === null || leftBelow(scroller) <= 1) return formed;
  }
  return null;
}

/** Reads the window that was scrolled to with all its columns; null when it cannot be had. */
async function wholeWindow(harvest, scroller, across) {
  if (across !== null) across.scrollLeft = 0;
  let whole = null;
  for (let i = 0; i < 1000; i++) {
    const formed = await windowReady(harvest, scroller);
    if (formed === null) return null;
    prepare(harvest.table, formed);
    placeRows(formed, scroller);
    if (whole === null) whole = formed;
    else if (!joinColumns(whole, formed)) return null;
    if (across === null) return whole;
    const before = across.scrollLeft;
    across.scrollLeft = before + STEP * clientWidth(across);
    if (across.scrollLeft <= before) return whole;
  }
  return null;
}

/** Adds the columns of a window to one that stands beside it, for the rows that both have. */
function joinColumns(whole, formed) {
  const rowsOf = new Map(formed.rows.map((row) => [row.key, row]));
  if (whole.rows.some((row) => !row.key) || rowsOf.size < formed.rows.length || whole.head.length !== formed.head.length) return false;
  whole.rows = whole.rows.filter((row) => rowsOf.has(row.key));
  for (const row of whole.rows) rowsOf.get(row.key).cells.forEach((slot, i) => (row.cells[i] ??= slot));
  whole.head.forEach((row, i) => formed.head[i].cells.forEach((slot, j) => (row.cells[j] ??= slot)));
  whole.width = Math.max(whole.width, formed.width);
  return formed.head.every((row, i) => row.cells.every((slot, j) => !slot || slot.text === whole.head[i].cells[j].text));
}

/** Takes down where the rows of a window stand among all, in px. */
function placeRows(formed, scroller) {
  const base = upperEdge(scroller) - scroller.scrollTop;
  for (const row of formed.rows) {
    const box = rowBox(row);
    row.top = box.top - base;
    row.bottom = box.bottom - base;
  }
}

/**
 * The number of rows from the first window to the last, by their numbers; else by
 * their places, where all have one height. Null where neither tells.
 */
function countedRows(first, last) {
  const [top, end] = [first.rows[0], last.rows.at(-1)];
  if (typeof top.number === 'number') return end.number - top.number + 1;
  const height = top.bottom - top.top;
  if (height <= 0 || [...first.rows, ...last.rows].some((row) => Math.abs(row.bottom - row.top - height) > 0.01)) return null;
  const count = (end.bottom - top.top) / height;
  return Math.abs(count - Math.round(count)) < 0.2 ? Math.round(count) : null;
}

/** Widens a grid so that it draws all its columns, as far as its page lets it. @returns {Promise<() => void>} what undoes it */
async function widen(harvest, scroller) {
  const across = harvest.first.kind === 'aria' ? scrollerFor(harvest, false) : null;
  const width = across === null ? 0 : Math.min(scrollWidth(across), GROWN_WIDTH);
  const undo = across === null ? null : enlarge(across, 'width', clientWidth, width);
  if (undo === null) return () => {};
  for (const end = now() + GROW_WAIT; now() < end; await pause(20)) {
    const formed = await windowReady(harvest, scroller, GROW_WAIT);
    if (formed === null) break;
    harvest.replace(formed);
    if (!missingColumns(harvest) && coversAcross(formed, across, width)) return undo;
  }
  undo();
  const formed = await windowReady(harvest, scroller);
  if (formed !== null) harvest.replace(formed);
  return () => {};
}

/** Less than any column is wide, in px. */
const NO_COLUMN = 25;

/** True when the cells of the first row stand one beside the other over a width. */
function coversAcross(formed, across, width) {
  const boxes = (formed.rows[0]?.cells ?? []).filter((slot) => slot && contains(across, slot.el)).map((slot) => rectOf(slot.el));
  boxes.sort((a, b) => a.left - b.left);
  let right = rectOf(across).left - across.scrollLeft;
  const end = right + width;
  for (const box of boxes) {
    if (box.left > right + NO_COLUMN) return false;
    right = Math.max(right, box.right);
  }
  return right > end - NO_COLUMN;
}

/** Takes the rows of a paged table from their source, by its pages so far. @returns {Promise<boolean>} whether that was possible */
async function fromPages(harvest) {
  if (harvest.total === null || harvest.rows.length <= harvest.sureAt || !mayHaveSource(harvest)) return false;
  const formed = { ...harvest.formed, rows: harvest.rows };
  const columns = columnsOfAll(formed, statedColumns(harvest));
  const rows = columns === null ? null : plainTexts(formed, columns);
  const grid = harvest.sureAt === 0 ? rowsOfLibrary(formed.el) : undefined;
  const answer = rows === null ? NO_SOURCE : await askSource({ windows: [{ rows, at: 0 }], count: harvest.total, whole: true, paged: true, grid });
  if (answer.rows) takeRows(harvest, harvest.formed, columns, answer.rows);
  harvest.sureAt = answer.look?.at(-1) ?? Infinity;
  return Boolean(answer.rows);
}
