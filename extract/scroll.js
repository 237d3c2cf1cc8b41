// Scrolling: windows of a virtual grid are put together by the key of their
// rows, or by their place where rows have no key; lists that grow are scrolled
// to their end.

/** A grid is scrolled by this part of what it draws, so that windows overlap. */
const STEP = 0.9;
const MAX_STEPS = 20_000;

/** The element that scrolls the rows: the nearest around them that has more than it shows; else the document's. */
function scrollerOf(el, down = true) {
  const size = down ? scrollHeight : scrollWidth;
  const shown = down ? clientHeight : clientWidth;
  const able = (node) => {
    if (size(node) <= shown(node) + 1 || shown(node) === 0) return false;
    const style = getComputedStyle(node);
    return /auto|scroll|overlay/.test(down ? style.overflowY : style.overflowX);
  };
  const page = scrollingElement(document) ?? documentElement(document);
  for (let node = el; node !== null; node = parentElement(node)) {
    if (node !== page && localName(node) !== 'body' && able(node)) return node;
  }
  return down && size(page) > shown(page) + 1 ? page : null;
}

/** Where the scrolling of a harvest takes place: around its rows, below its root, or the page. */
function scrollerFor(harvest, down = true) {
  const row = harvest.formed.rows.find((r) => isConnected(r.el))?.el ?? harvest.first.el;
  const near = scrollerOf(row, down);
  const page = scrollingElement(document);
  if (near !== null && near !== page) return near;
  if (!down || harvest.first.kind === 'aria') {
    const below = find(harvest.first.el, '*').find((el) => {
      const size = down ? scrollHeight(el) - clientHeight(el) : scrollWidth(el) - clientWidth(el);
      return size > 1 && /auto|scroll|overlay/.test(getComputedStyle(el)[down ? 'overflowY' : 'overflowX']);
    });
    if (below) return below;
  }
  return near;
}

/** One frame, or a little while where the page gets none. The page's own scroll handlers have run by then. */
const frame = () => Promise.race([new Promise((resolve) => requestAnimationFrame(resolve)), pause(40)]);

/** Scrolls for more rows, in the way that the table needs. */
async function scrollAll(harvest) {
  const scroller = scrollerFor(harvest);
  const wide = missingColumns(harvest);
  if (scroller === null && !wide) {
    if (harvest.total === null) harvest.proof = 'end';
    return;
  }
  pageTimers();
  const own = scroller !== null && scroller !== scrollingElement(document);
  if (!own && !wide && !watch.scrolls && harvest.total === null) {
    harvest.proof = 'end'; // the page listens to no scrolling
    return;
  }
  if (wide || (own && harvest.first.kind === 'aria') || spacers(harvest, scroller)) await scrollWindows(harvest, scroller);
  else await scrollGrowing(harvest, scroller);
}

/** True when the rows there are do not fill what is scrolled: the rest is made as it comes into view. */
function spacers(harvest, scroller) {
  const shown = harvest.formed.rows.filter((row) => isConnected(row.el));
  if (shown.length === 0) return false;
  if (scroller === scrollingElement(document)) return false; // other things fill the page
  const top = shown.reduce((least, row) => Math.min(least, rectOf(row.el).top), Infinity);
  const bottom = shown.reduce((most, row) => Math.max(most, rectOf(row.el).bottom), -Infinity);
  return scrollHeight(scroller) - (bottom - top) > Math.max(2 * clientHeight(scroller), 200);
}

/** Columns that the grid states and that were not seen, for grids that also draw columns on demand. */
function missingColumns(harvest) {
  if (harvest.first.kind !== 'aria') return false;
  const stated = wholeNumber(harvest.first.el, 'aria-colcount') ?? 0;
  return stated > 0 && columnsSeen(harvest) < stated;
}

function columnsSeen(harvest) {
  const seen = new Set();
  for (const row of [...harvest.formed.head, ...harvest.rows]) row.cells.forEach((slot, i) => slot && seen.add(i));
  return seen.size;
}

/** The key of a row in a window: its own, or its place in the whole. */
function keyIn(scroller) {
  const page = scrollingElement(document);
  const base = scroller === null ? 0 : scroller === page ? -scroller.scrollTop : rectOf(scroller).top - scroller.scrollTop;
  return (row) => {
    row.top ??= rectOf(row.el).top - base;
    return row.key ?? 'top=' + Math.round(row.top);
  };
}

/** Collects a virtual grid, window by window, and for each place of its columns. */
async function scrollWindows(harvest, scroller) {
  harvest.keys.clear();
  const across = missingColumns(harvest) ? scrollerFor(harvest, false) : null;
  if (across !== null) across.scrollLeft = 0;
  for (let part = 0; part < 1000; part++) {
    await scrollDown(harvest, scroller);
    if (across === null || !missingColumns(harvest)) break;
    const before = across.scrollLeft;
    across.scrollLeft = before + STEP * across.clientWidth;
    if (across.scrollLeft <= before) break;
    await windowReady(harvest, scroller);
  }
  orderRows(harvest);
  if (missingColumns(harvest)) {
    harvest.shaky = true;
    harvest.note = columnsSeen(harvest) + ' of ' + wholeNumber(harvest.first.el, 'aria-colcount') + ' columns were drawn';
  }
  harvest.proof = 'end';
}

/** One pass from top to bottom. */
async function scrollDown(harvest, scroller) {
  const metBefore = harvest.met();
  if (scroller !== null) scroller.scrollTop = 0;
  let last = null;
  let still = 0;
  let step = STEP;
  for (let i = 0; i < MAX_STEPS; i++) {
    const formed = await windowReady(harvest, scroller);
    if (formed === null) {
      harvest.shaky = true;
      harvest.note = 'a part that was scrolled to was not drawn';
      return;
    }
    const keyOf = keyIn(scroller);
    const keys = formed.rows.map(keyOf);
    if (new Set(keys).size < keys.length) {
      harvest.shaky = true;
      harvest.note = 'two rows of one window have the same ' + (formed.rows[0].key ?? 'place').split('=')[0];
    }
    const overlaps = last === null || keys.includes(last);
    const added = harvest.merge(formed, keyOf);
    last = keys.at(-1) ?? last;
    if (scroller === null || (!metBefore && harvest.met() && !missingColumns(harvest))) return;
    if (!overlaps) {
      if (step > STEP / 4) {
        step /= 2;
        scroller.scrollTop -= step * clientHeight(scroller); // a gap: go back and take smaller steps
        last = null;
        harvest.gaps = (harvest.gaps ?? 0) + 1;
        continue;
      }
      harvest.shaky = true;
      harvest.note = 'two parts drawn one after the other have no row in common';
    }
    const atEnd = leftBelow(scroller) <= 1;
    still = atEnd && added === 0 ? still + 1 : 0;
    if (still >= 2) return;
    if (added > 0) more();
    scroller.scrollTop += Math.max(step * reach(formed, scroller), 1);
  }
  harvest.shaky = true;
}

/** How far to scroll so that the last row drawn comes to stand first, in px: grids draw more than they show. */
function reach(formed, scroller) {
  const page = scrollingElement(document);
  const top = scroller === page ? 0 : rectOf(scroller).top;
  const last = formed.rows.reduce((best, row) => Math.max(best, rectOf(row.el).top), 0);
  return Math.max(last - top, clientHeight(scroller));
}

/** A window that is not drawn by then is scrolled a little, in ms: grids may have missed the event of a busy moment. */
const NUDGE = 1000;

/**
 * Waits until the window that was scrolled to is drawn: a frame went by without
 * a change, rows reach its lower edge, nothing in it is loading, no request is
 * in flight. Null when that takes most of the time for one load.
 */
async function windowReady(harvest, scroller) {
  const begun = now();
  let nudged = begun;
  for (;;) {
    const version = watch.version;
    await frame();
    flush();
    const late = now() - begun > 0.8 * job.timeout;
    if (watch.version !== version && !late) continue;
    const pending = await askPool();
    flush();
    if ((pending > 0 || watch.version !== version) && !late) continue;
    const formed = readAgain(harvest);
    if (formed === null || scroller === null) return formed;
    const loading = isSpinner(formed.el) || formed.rows.some((row) => isSpinner(row.el) || LOADING_TEXT.test(fold(row.el.textContent)));
    if (!loading && covers(formed, scroller)) return formed;
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

/** True when rows reach the lower edge of the window, or the end of all. */
function covers(formed, scroller) {
  if (formed.rows.length === 0) return false;
  const stated = formed.kind === 'aria' ? wholeNumber(formed.el, 'aria-rowcount') ?? 0 : 0;
  if (stated > 0 && formed.rows.some((row) => wholeNumber(row.el, 'aria-rowindex') >= stated)) return true;
  const page = scrollingElement(document);
  const edge = scroller === page ? innerHeight : rectOf(scroller).top + clientHeight(scroller);
  const bottom = formed.rows.reduce((most, row) => Math.max(most, rectOf(row.el).bottom), -Infinity);
  return bottom >= edge - 1 || leftBelow(scroller) <= 1;
}

/** Orders the rows of all windows, and doubts them when numbers are missing between. */
function orderRows(harvest) {
  const rows = harvest.rows;
  if (rows.every((row) => typeof row.number === 'number')) {
    rows.sort((a, b) => a.number - b.number);
    if (rows.some((row, i) => i > 0 && row.number > rows[i - 1].number + 1)) harvest.shaky = true;
  } else if (rows.every((row) => typeof row.top === 'number')) {
    rows.sort((a, b) => a.top - b.top);
  }
}

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
