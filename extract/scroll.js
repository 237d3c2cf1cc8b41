// Scrolling: windows of a virtual grid are put together by the key of their
// rows, or by their place where rows have no key; lists that grow are scrolled
// to their end.

/** A grid is scrolled by this part of what it draws, so that windows overlap. */
const STEP = 0.9;
const MAX_STEPS = 20_000;

/** True for an element whose content may be scrolled, if it is larger. */
function overflows(el, down) {
  const style = getComputedStyle(el);
  return /auto|scroll|overlay/.test(down ? style.overflowY : style.overflowX);
}

/** The element that scrolls the rows: the nearest around them that has more than it shows; else the document's. */
function scrollerOf(el, down = true) {
  const size = down ? scrollHeight : scrollWidth;
  const shown = down ? clientHeight : clientWidth;
  // To ask for a size costs a layout, so what cannot scroll is not asked.
  const able = (node) => overflows(node, down) && size(node) > shown(node) + 1 && shown(node) !== 0;
  const page = scrollingElement(document) ?? documentElement(document);
  for (let node = el; node !== null; node = parentElement(node)) {
    if (node !== page && localName(node) !== 'body' && able(node)) return node;
  }
  return down && size(page) > shown(page) + 1 ? page : null;
}

/** The first row of a harvest that is in the document, or what it is read from. */
const shownRow = (harvest) => harvest.formed.rows.find((r) => isConnected(r.el))?.el ?? harvest.first.el;

/** Where the scrolling of a harvest takes place: around its rows, below its root, or the page. */
function scrollerFor(harvest, down = true) {
  const near = scrollerOf(shownRow(harvest), down);
  const page = scrollingElement(document);
  if (near !== null && near !== page) return near;
  if (!down || harvest.first.kind === 'aria') {
    const below = find(harvest.first.el, '*').find((el) => {
      return overflows(el, down) && (down ? scrollHeight(el) - clientHeight(el) : scrollWidth(el) - clientWidth(el)) > 1;
    });
    if (below) return below;
  }
  return near;
}

/** Scrolls for more rows, in the way that the table needs. */
async function scrollAll(harvest) {
  const wide = missingColumns(harvest);
  pageTimers();
  if (!wide && harvest.total === null && !mayHearScrolling(harvest)) {
    harvest.proof = 'end';
    return;
  }
  const scroller = scrollerFor(harvest);
  if (scroller === null && !wide) {
    if (harvest.total === null) harvest.proof = 'end';
    return;
  }
  const own = scroller !== null && scroller !== scrollingElement(document);
  if (!own && !wide && !watch.scrollsWhole && harvest.total === null) {
    harvest.proof = 'end'; // the page listens to no scrolling of its own
    return;
  }
  keepDrawing();
  if (drawsInPart(harvest, scroller)) {
    if (!(await fromSource(harvest, scroller))) await scrollWindows(harvest, scroller);
  } else await scrollGrowing(harvest, scroller);
}

/** True unless nothing could notice that the rows of a table are scrolled. */
function mayHearScrolling(harvest) {
  if (watch.scrollsWhole) return true;
  if (!watch.scrolls && findOne(document, '[onscroll],[onscrollend],[onwheel]') === null) return false;
  if (harvest.first.kind !== 'html') return true;
  const page = scrollingElement(document);
  for (let node = shownRow(harvest); node !== null; node = parentElement(node)) {
    if (node !== page && localName(node) !== 'body' && mayScroll(node) && overflows(node, true)) return true;
  }
  return false;
}

/** True for what draws only the rows or columns in view, as far as can be seen before it is scrolled. */
function drawsInPart(harvest, scroller) {
  if (missingColumns(harvest)) return true;
  if (scroller === null) return false;
  return (scroller !== scrollingElement(document) && harvest.first.kind === 'aria') || spacers(harvest, scroller);
}

/** True when the rows there are do not fill what is scrolled: the rest is made as it comes into view. */
function spacers(harvest, scroller) {
  const shown = harvest.formed.rows.filter((row) => isConnected(row.el));
  if (shown.length === 0) return false;
  if (scroller === scrollingElement(document)) return false; // other things fill the page
  const top = shown.reduce((least, row) => Math.min(least, rowBox(row).top), Infinity);
  const bottom = shown.reduce((most, row) => Math.max(most, rowBox(row).bottom), -Infinity);
  return scrollHeight(scroller) - (bottom - top) > Math.max(2 * clientHeight(scroller), 200);
}

/** Where a row is drawn. A row that has no box of its own is where its cells are. */
function rowBox(row) {
  const box = rectOf(row.el);
  if (box.height > 0) return box;
  const cell = row.cells.find((slot) => slot && isConnected(slot.el));
  return cell ? rectOf(cell.el) : box;
}

/** The number of columns that the grid states, 0 where it states none. */
const statedColumns = (harvest) => (harvest.first.kind === 'aria' ? Math.max(wholeNumber(harvest.first.el, 'aria-colcount') ?? 0, 0) : 0);

/** True when there are columns that no row has a cell for yet, by what the grid states and by its header. */
function missingColumns(harvest) {
  if (harvest.first.kind !== 'aria' || harvest.rows.length === 0) return false;
  const seen = columnsSeen(harvest.rows);
  if (seen.size < statedColumns(harvest)) return true;
  return harvest.formed.head.some((row) => row.cells.some((slot, i) => slot && slot.text !== '' && !seen.has(i)));
}

/** The columns that some of the rows have a cell in. */
function columnsSeen(rows) {
  const seen = new Set();
  for (const row of rows) row.cells.forEach((slot, i) => slot && seen.add(i));
  return seen;
}

/** Collects a virtual grid, window by window, and for each place of its columns. */
async function scrollWindows(harvest, scroller) {
  harvest.keys.clear();
  harvest.lead = leadOf(harvest.formed, scroller);
  await grow(harvest, scroller);
  const across = await acrossOf(harvest, scroller);
  for (let part = 0; part < 1000; part++) {
    await scrollDown(harvest, scroller, across !== null);
    if (across === null || (statedColumns(harvest) > 0 && !missingColumns(harvest))) break;
    const before = across.scrollLeft;
    across.scrollLeft = before + STEP * clientWidth(across);
    if (across.scrollLeft <= before) break;
    await windowReady(harvest, scroller);
  }
  orderRows(harvest);
  checkCells(harvest, across);
  harvest.proof = 'end';
}

/**
 * What must be scrolled sideways for the rest of the columns, standing at its
 * start; null where they are all drawn. A grid that states too little is tried:
 * its right end shows whether it draws there what it did not draw before.
 */
async function acrossOf(harvest, scroller) {
  const across = scrollerFor(harvest, false);
  if (across === null) return null;
  across.scrollLeft = 0;
  if (missingColumns(harvest)) return across;
  const words = (formed) => (formed?.head.at(-1) ? textsOf(formed.head.at(-1).cells).join('\u0001') : '');
  const first = await windowReady(harvest, scroller);
  across.scrollLeft = scrollWidth(across);
  const last = await windowReady(harvest, scroller);
  across.scrollLeft = 0;
  knownFields.delete(harvest.first.el); // columns are numbered from the left again
  await windowReady(harvest, scroller);
  if (first === null || last === null) return null;
  if (first.kind === 'html') {
    // Nothing says which column a <td> belongs to, so such columns cannot be put together.
    if (words(first) !== words(last)) tear(harvest, 'its columns are drawn only as they are scrolled to');
    return null;
  }
  const seen = columnsSeen(first.rows);
  return [...columnsSeen(last.rows)].some((column) => !seen.has(column)) ? across : null;
}

/** Notes that cells are missing: then no number of rows proves anything. */
function tear(harvest, note) {
  harvest.torn = true;
  harvest.note = note;
}

/** Doubts a grid with columns that were never drawn, or with rows that lack a part of the columns. */
function checkCells(harvest, across) {
  const columns = columnsSeen([...harvest.formed.head, ...harvest.rows]);
  const stated = statedColumns(harvest);
  if (columns.size < stated) tear(harvest, columns.size + ' of ' + stated + ' columns were drawn');
  if (harvest.unlike) tear(harvest, 'the header of a column changed while it was scrolled');
  if (across === null) return;
  const head = columnsSeen(harvest.formed.head);
  const bare = head.size === 0 ? [] : [...columnsSeen(harvest.rows)].filter((column) => !head.has(column));
  if (bare.length > 0) tear(harvest, bare.length + ' of its columns were drawn without their header');
  const seen = [...columnsSeen(harvest.rows)];
  const short = harvest.rows.filter((row) => row.role === '' && seen.some((column) => !row.cells[column]));
  if (short.length > 0) tear(harvest, short.length + ' of its rows were drawn without some of their cells');
}

/** One pass from top to bottom; where more passes across follow it goes on to the end. */
async function scrollDown(harvest, scroller, across) {
  const doubt = (note) => {
    harvest.shaky = true;
    harvest.note = note;
  };
  if (scroller !== null) scroller.scrollTop = 0;
  harvest.window = null;
  let still = 0;
  let step = STEP;
  for (let i = 0; i < MAX_STEPS; i++) {
    const formed = await windowReady(harvest, scroller);
    if (formed === null) return doubt('a part that was scrolled to was not drawn');
    const overlaps = nameRows(harvest, formed, scroller);
    if (new Set(formed.rows.map(keyOf)).size < formed.rows.length) {
      doubt('two rows of one window have the same ' + keyOf(formed.rows[0]).split('=')[0]);
    }
    if (!overlaps && step > STEP / 4) {
      step /= 2;
      scroller.scrollTop -= step * clientHeight(scroller); // a gap: go back and take smaller steps
      continue;
    }
    if (!overlaps) {
      const note = 'two parts drawn one after the other have no row in common';
      if (formed.rows.every((row) => row.key)) doubt(note);
      else tear(harvest, note); // what has no key may be here twice
    }
    const added = harvest.merge(formed, keyOf);
    if (formed.rows.length > 0) harvest.window = formed;
    if (scroller === null || (!across && harvest.met())) return;
    still = leftBelow(scroller) <= 1 && added === 0 ? still + 1 : 0;
    if (still >= 2) return;
    if (added > 0) more();
    scroller.scrollTop += Math.max(step * reach(formed, scroller), 1);
  }
  doubt('it has no end');
}

/** How far to scroll so that the last row drawn comes to stand first, in px: grids draw more than they show. */
function reach(formed, scroller) {
  const top = upperEdge(scroller);
  const last = formed.rows.reduce((best, row) => Math.max(best, rowBox(row).top), 0);
  return Math.max(last - top, clientHeight(scroller));
}

/** A window that is not drawn by then is scrolled a little, in ms: grids may have missed the event of a busy moment. */
const NUDGE = 1000;

/** So long, in ms, rows may take to be drawn at the end of all, where below the last one there may be space for ever. */
const LAST_ROWS = 500;

/**
 * Waits until the window that was scrolled to is drawn: a frame went by without
 * a change, rows reach its lower edge, nothing in it is loading, no request is
 * in flight. Null when that takes most of the time for one load.
 * @param {number} [trial] ms after which a window that need not come is given up; the edge must be reached then
 */
async function windowReady(harvest, scroller, trial) {
  const begun = now();
  let nudged = begun;
  for (;;) {
    const version = watch.version;
    await frame();
    flush();
    const late = now() - begun > (trial ?? 0.8 * job.timeout);
    if (watch.version !== version && !late) continue;
    const pending = await askPool();
    flush();
    if ((pending > 0 || watch.version !== version) && !late) continue;
    const formed = readAgain(harvest);
    numberRows(formed);
    if (formed === null || scroller === null) return formed;
    const loading = isSpinner(formed.el) || formed.rows.some((row) => isSpinner(row.el) || saysLoading(row.el));
    const ended = trial === undefined && leftBelow(scroller) <= 1 && formed.rows.length > 0 && now() - begun > LAST_ROWS;
    if (!loading && (covers(formed, scroller, harvest.lead) || ended)) return formed;
    if (late) return null;
    if (now() - nudged > NUDGE) {
      nudged = now();
      await nudge(scroller);
    }
    await pause(10);
  }
}

/**
 * Scrolls a little, or to the end where that is near: below its last row a grid
 * may have empty space, which no row will ever cover.
 */
async function nudge(scroller) {
  if (leftBelow(scroller) < clientHeight(scroller)) {
    scroller.scrollTop = scrollHeight(scroller);
    return;
  }
  scroller.scrollTop -= 1;
  await frame();
  scroller.scrollTop += 1;
}

/** What is left to scroll, in px. */
const leftBelow = (scroller) => scrollHeight(scroller) - clientHeight(scroller) - scroller.scrollTop;

/**
 * How far below the upper edge of the window its first row may begin, in px: as
 * far as it does at the start, below the header, and somewhat more.
 */
function leadOf(formed, scroller) {
  if (scroller === null) return 0;
  const height = clientHeight(scroller);
  if (scroller.scrollTop > 0 || formed.between || formed.rows.length === 0) return height;
  return Math.min(Math.max(topOf(formed.rows) - upperEdge(scroller), 0) + height / 4, height);
}

const topOf = (rows) => rows.reduce((least, row) => Math.min(least, rowBox(row).top), Infinity);
const upperEdge = (scroller) => (scroller === scrollingElement(document) ? 0 : rectOf(scroller).top);

/**
 * True when rows reach both edges of the window, or the last one that the grid
 * states is there. Rows that stand elsewhere are those of the window before.
 */
function covers(formed, scroller, lead) {
  if (formed.rows.length === 0 || topOf(formed.rows) > upperEdge(scroller) + lead) return false;
  const stated = formed.kind === 'aria' ? wholeNumber(formed.el, 'aria-rowcount') ?? 0 : 0;
  if (stated > 0 && formed.rows.some((row) => wholeNumber(row.el, 'aria-rowindex') === stated)) return true;
  const edge = scroller === scrollingElement(document) ? innerHeight : upperEdge(scroller) + clientHeight(scroller);
  const bottom = formed.rows.reduce((most, row) => Math.max(most, rowBox(row).bottom), -Infinity);
  return bottom >= edge - 1;
}

/** Orders the rows of all windows, and doubts them when there are numbers or places between them that no row has. */
function orderRows(harvest) {
  const rows = harvest.rows;
  if (rows.length === 0) return;
  if (rows.every((row) => typeof row.number === 'number')) {
    rows.sort((a, b) => a.number - b.number);
    const gap = rows.findIndex((row, i) => i > 0 && row.number > rows[i - 1].number + 1);
    if (gap < 0) return;
    harvest.shaky = true;
    harvest.note ||= ('row ' + thousands(rows[gap - 1].number - rows[0].number + 2) + ' was not drawn');
    harvest.total ??= rows.at(-1).number - rows[0].number + 1; // so many rows the grid counts itself
  } else if (rows.every((row) => row.key)) {
    rows.sort((a, b) => a.top - b.top);
  } else {
    orderKeyless(harvest);
  }
}

const thousands = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, ',');

/** Scrolls to the end again and again until no more rows come. */
async function scrollGrowing(harvest, scroller) {
  const firstRow = harvest.formed.rows[0]?.el;
  const print = fingerprint(harvest.formed);
  let still = 0;
  for (let i = 0; i < MAX_STEPS && !harvest.met(); i++) {
    const before = harvest.rows.length;
    if (i > 0) await takeTurn();
    if (still > 0) scroller.scrollTop -= 2; // some listen for a movement only
    const end = harvest.formed.rows.at(-1)?.el;
    if (end && isConnected(end)) end.scrollIntoView({ block: 'end', behavior: 'instant' });
    scroller.scrollTop = scrollHeight(scroller);
    await frame();
    await frame();
    watch.last = Math.max(watch.last, now() - QUIET_PROVED / 2);
    await settle(() => Math.min(quietNeeded(), i === 0 && still === 0 ? QUIET_PROVED : QUIET));
    const formed = readAgain(harvest);
    if (formed === null) break;
    if (firstRow && !isConnected(firstRow) && formed.rows.length <= before && fingerprint(formed) !== print) {
      await scrollWindows(harvest, scroller); // rows are taken away while others come
      return;
    }
    harvest.replace(formed);
    still = harvest.rows.length > before ? 0 : still + 1;
    if (still >= (i === 0 ? 1 : 2)) break;
    if (still === 0) more();
  }
  harvest.proof = 'end';
}
