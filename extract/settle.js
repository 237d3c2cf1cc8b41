// When the page has come to rest. Quiet alone is never enough: the document must
// be parsed, `ready` there, no sign of loading shown, no short timer of the page
// pending, the wanted part unchanged for its quiet time, and then no request may
// be in flight that was there at that moment. What is read is read in the same
// task in which the last of this was found true.

/** Quiet times in ms: where nothing is left that could change the page, where something proves the end, where nothing does, where there is no row. */
const QUIET_STILL = 20;
const QUIET_PROVED = 100;
const QUIET = 500;
const QUIET_EMPTY = 2000;
/** So often, in ms, a page that is waited for is looked at. */
const LOOK_EVERY = 20;
/** Timers hold the reading so long after the last change; a poll that never ends must not. */
const TIMERS_HOLD = 1500;
/** Frames and idle callbacks hold longer: they come at once, unless the machine has no time for them. So does all that is pending while no row is there. */
const IDLE_HOLD = 5000;
/** A spinner beside rows holds so long: below an endless list it stays for ever. */
const SPINNER_HOLD = 3000;
/** So often quiet is asked for again while requests were in flight each time. */
const ROUNDS = 4;
/** A text that changed so often, for so long (ms), with nothing else is a clock: it holds no more. */
const CLOCK_TIMES = 4;
const CLOCK_SPAN = 3000;
/** So many changes of one moment are looked at for clocks, beyond the first that is none. */
const CLOCKS_AT_ONCE = 200;
/** Where no rows are read of the document, but of responses or frames, it is left out of account after so long (ms). */
const NO_ROWS_HOLD = 5000;

const now = () => performance.now();

const watch = {
  version: 0, // counts changes of the wanted part
  last: now(), // time of the last one
  roots: null, // wanted elements, null when they must be looked for again
  clocks: new WeakMap(), // element -> {times, first} of changes of text only
  spinnerSeen: false,
  glances: new Map(), // of tables, by the version they are of
  asked: 0,
  answer: null,
  captured: 0, // responses captured when the pool answered last
  scrolls: false, // the page listens for scrolling, or watches what comes into sight
  scrollsWhole: false, // of the whole page
  other: false, // it has used what may draw and is not counted
  loose: 0, // what was on that the pool knows and does not wait for, when it answered last
};

const observer = new MutationObserver((records) => noteChanges(records));
const watchTree = (root) => observer.observe(root, {
  subtree: true, childList: true, characterData: true, attributes: true,
  attributeFilter: ['class', 'style', 'hidden', 'aria-busy', 'aria-hidden', 'aria-rowcount', 'aria-rowindex'],
});
watchTree(document);

/** Counts a batch of changes if one of them touches what is wanted. */
function noteChanges(records) {
  if (records.some((record) => record.type === 'childList' && bringsTables(record))) watch.roots = shadows.roots = null;
  let touched = false;
  let more = readyState(document) === 'loading' ? 0 : CLOCKS_AT_ONCE; // while it is parsed nothing is a clock
  for (const record of records) {
    if (touched && more-- === 0) break;
    if (job.comments && touchesComments(record)) {
      watch.roots = comments.documents = null;
      touched = true;
    }
    if (!touched || onlyText(record)) touched = concerns(record) || touched;
  }
  if (!touched) return;
  watch.version++;
  watch.last = now();
  drawing.left = FRAMES_OF_CHANGE;
  drawing.soon = 0;
  if (drawing.steady) wantFrame();
}

/** Reads changes that were not reported yet. */
const flush = () => noteChanges(observer.takeRecords());

/** True when elements came or went that may be wanted. */
function bringsTables(record) {
  for (const list of [record.addedNodes, record.removedNodes]) {
    for (const node of list) {
      if (nodeType(node) === 1) return true;
    }
  }
  return false;
}

/** True for a change of text, or of how one element looks. */
function onlyText(record) {
  if (record.type !== 'childList') return true;
  for (const list of [record.addedNodes, record.removedNodes]) {
    for (const node of list) if (nodeType(node) !== 3) return false;
  }
  return true;
}

/** True when a change concerns the wanted part. */
function concerns(record) {
  const target = nodeType(record.target) === 1 ? record.target : parentElement(record.target);
  if (onlyText(record) && target !== null && isClock(target)) return false;
  const roots = wantedRoots();
  if (roots.length === 0) return !job.noRows || now() < NO_ROWS_HOLD;
  if (target === null) return true;
  return roots.some((root) => contains(root, target) || (record.type !== 'characterData' && holds(record, target, root)));
}

/** A change around a wanted element concerns it when it shows or hides it, or brings more of its kind. */
function holds(record, target, root) {
  if (record.type === 'attributes') return contains(target, root);
  for (const node of record.addedNodes) {
    if (nodeType(node) === 1 && (contains(node, root) || mayBeWanted(node))) return true;
  }
  for (const node of record.removedNodes) {
    if (nodeType(node) === 1 && (contains(node, root) || mayBeWanted(node))) return true;
  }
  return false;
}

function mayBeWanted(node) {
  const css = job.tables.filter((t) => !t.comments).map((t) => (t.mode === 'from' || t.mode === 'each' ? t.css : CANDIDATES)).join(',');
  return css !== '' && (matches(node, css) || findOne(node, css) !== null);
}

function isClock(el) {
  const clock = watch.clocks.get(el) ?? { times: 0, first: now() };
  clock.times++;
  watch.clocks.set(el, clock);
  return clock.times > CLOCK_TIMES && now() - clock.first >= CLOCK_SPAN;
}

function wantedRoots() {
  if (watch.roots === null) watch.roots = wantedElements();
  return watch.roots;
}

// Spinners.

const SPINNER_PARTS = ['spinner', 'skeleton', 'loading', 'loader', 'shimmer'];
const SPINNERS = '[aria-busy="true"],[role="progressbar"],' + SPINNER_PARTS.map((p) => '[class*="' + p + '" i]').join(',');
const SPINNER_WORD = new RegExp(SPINNER_PARTS.join('|'), 'i');
const SPINNER_CLASS = /(^|[-_\s])(is-)?(spinner|skeleton|loading|loader|shimmer)(?=$|[-_\s](border|grow|root|text|row|cell|wrapper|container|overlay|indicator|icon|sm|lg|active|circle|bar|dots?)|\s)/i;

/** True for a shown element that says that something is still loading. */
function isSpinner(el) {
  const named = SPINNER_WORD.test(attribute(el, 'class') ?? '') && SPINNER_CLASS.test(classOf(el).replace(/([a-z])([A-Z])/g, '$1-$2'));
  const marked = named || attribute(el, 'aria-busy') === 'true' || attribute(el, 'role') === 'progressbar';
  if (!marked || /^(html|body|img|script|link)$/.test(localName(el))) return false;
  if (attribute(el, 'role') === 'progressbar' && hasAttribute(el, 'aria-valuenow')) return false;
  return checkVisibility(el, { visibilityProperty: true, opacityProperty: true });
}

/** True when a spinner or skeleton is shown in root; the document, or an element. */
const spinnerIn = (root) => find(root, SPINNERS).some(isSpinner);

/** A look at a table that is not loading holds so long, in ms, while it does not change. */
const GLANCE_HOLDS = 250;

/** What there is of a wanted table: a look that was taken a moment ago, or a new one. */
function seenOf(table) {
  const known = watch.glances.get(table);
  if (known?.version === watch.version && now() - known.at < GLANCE_HOLDS) return known.seen;
  const seen = glance(table);
  if (!seen.loading && !seen.beside) watch.glances.set(table, { version: watch.version, at: now(), seen });
  return seen;
}

/**
 * What there is of a wanted table, cheaply: the number of its rows, whether it
 * shows that it is loading, and whether the rows are all that it states.
 */
function glance(table) {
  if (table.mode === 'none') return { found: true, rows: 1, loading: false, proved: false };
  const els = targetsOf(table).flat();
  let rows = 0;
  let loading = false;
  let beside = false;
  let stated = 0;
  let drawn = 0; // tables whose page counts exactly the rows that it shows
  for (const el of els) {
    if (isSpinner(el)) loading = true;
    const around = parentElement(el);
    if (around !== null && localName(around) !== 'body' && spinnerIn(around)) beside = true;
    if (table.mode === 'each' || table.mode === 'page') continue;
    const before = rows;
    const lines = find(el, 'tr,[role="row"],.tabulator-row').filter(isDataLine);
    rows += lines.length;
    if (lines.some((line) => saysLoading(line) || isSpinner(line) || (lines.length < 60 && spinnerIn(line)))) loading = true;
    stated += Math.max(wholeNumber(el, 'aria-rowcount') ?? 0, 0);
    const range = rows > before ? rangeNear(el, rows - before, els) : null;
    if (range && range.last - range.first + 1 === rows - before) drawn++;
  }
  if (table.mode === 'each' || table.mode === 'page') rows = els.length;
  const total = namedTotal(table) ?? (stated > 0 ? stated : null);
  return { found: els.length > 0, rows, loading, beside, proved: rows > 0 && ((total !== null && rows >= total) || drawn === els.length) };
}

/** True for a line whose text says that rows are still loading. Of most lines their beginning tells that it does not. */
function saysLoading(line) {
  for (let node = firstChild(line); node !== null; node = nextSibling(node)) {
    const text = nodeType(node) === 8 ? '' : fold(textContent(node)); // a comment says nothing
    if (text !== '') return LOADING_WORD.test(text) && LOADING_TEXT.test(fold(textContent(line)));
  }
  return false;
}

/** A line that may be a row of data: it has cells that are no headers. */
function isDataLine(line) {
  if (localName(line) === 'tr') {
    const first = firstElement(line); // tells of most lines
    if (first !== null && first.localName === 'td' && !matches(first, PLACEHOLDER)) return true;
    const cells = cellsOf(line);
    return cells.some((c) => c.localName === 'td') && !cells.every((c) => matches(c, PLACEHOLDER));
  }
  return findOne(line, '[role="gridcell"],[role="cell"],.tabulator-cell') !== null;
}

/**
 * The quiet time that the page needs now, in ms; Infinity while something shows
 * that it is not ready.
 */
function quietNeeded() {
  if (job.frames) wakeFrames();
  if (readyState(document) === 'loading' && !frames.written) return Infinity;
  if (job.ready && findOne(document, job.ready) === null) return Infinity;
  let need = still() ? QUIET_STILL : job.ready || watch.spinnerSeen ? QUIET_PROVED : QUIET;
  let proved = job.tables.length > 0;
  for (const table of job.tables) {
    const seen = seenOf(table);
    proved = proved && seen.proved;
    if (seen.loading || (seen.beside && (seen.rows === 0 || now() - watch.last < SPINNER_HOLD))) {
      watch.spinnerSeen = true;
      return Infinity;
    }
    if (seen.rows > 0 || table.optional) continue;
    if (!seen.found && spinnerIn(document)) {
      watch.spinnerSeen = true;
      return Infinity;
    }
    need = Math.max(need, job.ready ? QUIET : QUIET_EMPTY);
  }
  return Math.max(linksNeed(), framesNeed(), proved ? Math.min(need, QUIET_PROVED) : need);
}

/** A page that sends itself messages is at work until it has sent none for so long, in ms. */
const NO_MESSAGE = 60;

/**
 * True when nothing is left from which a change could come: no timer, frame or idle
 * callback is pending, no message of the page to itself is on its way, nothing runs
 * beside the document, and it has used nothing whose end cannot be seen here.
 */
function still() {
  const timers = pageTimers();
  return timers.short === 0 && onlyTimers(timers);
}

/** True when a change could come from timers alone. */
const onlyTimers = (timers) => timers.soon === 0 && !watch.other && timers.message >= NO_MESSAGE && watch.loose === 0 && !hasFrames();

/** True where documents of their own are in the page. */
const hasFrames = () => findOne(document, 'iframe,frame,object,embed') !== null;

/** Elements that hear of the end of what moves. */
const HEARS_OF_ENDS = '[onanimationend],[ontransitionend]';

/** Asks the page's world what it still has to do. */
function pageTimers() {
  let answer = '0 0 2 0 1 1 0 0'; // where it cannot be asked, anything may be
  const hear = (event) => (answer = String(event.detail));
  listen(document, SECRET + 'a', hear);
  dispatch(document, new CustomEvent(SECRET + 'q', { detail: String(watch.last) }));
  unlisten(document, SECRET + 'a', hear);
  const [short, long, scrolls, soon, frames, other, message, next] = answer.split(' ').map(Number);
  watch.scrolls = scrolls > 0;
  watch.scrollsWhole = scrolls > 1;
  watch.other = other === 1 || findOne(document, HEARS_OF_ENDS) !== null;
  return { short: short || 0, long: long || 0, soon: soon || 0, frames: frames === 1, message: message || 0, next: next === 1 };
}

/** Makes the page drop what it has set up: it has been read, and is shown until the next page comes. */
function stopPage() {
  dispatch(document, new CustomEvent(SECRET + 'x'));
}

/** True when timers of the page may still draw. Where no row is there yet, longer ones count too. */
function timersHold(need) {
  const idle = now() - watch.last;
  if (idle > IDLE_HOLD) return false;
  const timers = pageTimers();
  if (timers.soon > 0 || framesHold(timers)) return true;
  return need >= QUIET_EMPTY ? timers.long > 0 : idle <= TIMERS_HOLD && timers.short > 0;
}

/** Draws the frames that a page which watches them has not had since its last change. True while there are such. */
function framesHold(timers) {
  if (!timers.frames || drawing.left <= 0) return false;
  wantFrame();
  return true;
}

/**
 * Leaves out the time until the page's next timer, where the page waits for nothing
 * else (see skipTime of page.js). False when there is nothing to leave out.
 */
async function skipTime(end) {
  const waits = (timers) => timers.next && onlyTimers(timers) && readyState(document) !== 'loading';
  const timers = pageTimers();
  if (!waits(timers)) return false;
  if (framesHold(timers)) {
    await pause(LOOK_EVERY);
    return true;
  }
  const version = watch.version;
  const pending = await askPool(end);
  await hops();
  flush();
  if (pending !== 0 || watch.version !== version || !waits(pageTimers())) return false;
  dispatch(document, new CustomEvent(SECRET + 'n'));
  await hops();
  return true;
}

/** So many tasks of its own the script sees come and go before it reads: what the page had in its queue has been done by then. */
const HOPS = 5;
const channel = new MessageChannel();
async function hops() {
  for (let i = 0; i < HOPS; i++) {
    await new Promise((resolve) => {
      channel.port1.onmessage = resolve;
      channel.port2.postMessage(0);
    });
  }
}

const never = () => new Promise(() => {});
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/**
 * Tells the pool that the page is quiet. Once the requests that were in flight
 * then have ended it gives their number, and that of those begun since; undefined
 * when that was not before a time.
 */
function askPool(end = Infinity) {
  const told = new Promise((resolve) => {
    watch.answer = resolve;
    send('quiet ' + ++watch.asked);
  });
  return end === Infinity ? told : Promise.race([told, pause(end - now())]);
}

globalThis.__tabfarm_go = (number, pending, waited, captured, loose) => {
  if (number !== watch.asked || watch.answer === null) return;
  watch.loose = loose;
  watch.captured = captured;
  const answer = watch.answer;
  watch.answer = null;
  answer(pending + waited);
};

/**
 * Waits until the page is at rest. When it resolves, the caller is in the task
 * in which that was found out.
 * @param {() => number} need quiet time in ms that is needed now
 * @param {number} end time at which the waiting ends, whatever the page does
 */
async function settle(need = quietNeeded, end = Infinity) {
  if (frames.still) return parsedStill();
  for (let round = 0; ; ) {
    if (state.delivered) await never(); // the deadline came first
    if (now() >= end) return;
    if (now() - watch.last >= QUIET_STILL && (await skipTime(end))) continue;
    const idle = now() - watch.last;
    if (idle < QUIET_STILL || (idle < QUIET_PROVED && !still())) {
      await pause(Math.max(QUIET_STILL - idle + 1, LOOK_EVERY));
      continue;
    }
    const quiet = need();
    if (idle >= FRAMES_ANYWAY || watch.other) drawSometimes();
    if (quiet === Infinity) {
      await pause(LOOK_EVERY);
      continue;
    }
    if (idle < quiet) {
      await pause(Math.min(quiet - idle + 1, LOOK_EVERY));
      continue;
    }
    if (timersHold(quiet)) {
      await pause(LOOK_EVERY);
      continue;
    }
    const version = watch.version;
    const pending = await askPool(end);
    flush();
    await hops();
    flush();
    if (pending > 0) watch.glances.clear(); // a style sheet may have come: it shows or hides what it likes
    const rest = need();
    if (watch.version !== version || now() - watch.last < rest) continue;
    if (pending === 0 || ++round >= ROUNDS) return;
    watch.last = now(); // what came may still be drawn: quiet anew
  }
}
