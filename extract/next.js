// The parts of a page that the recipe's `next` leads to: the control is clicked
// until it is gone, hidden or disabled. What a part adds is sent before the click
// that leads on, for the click may lead to another document; the script there
// knows from the memory how far it is.

/** A change is waited for so long after the click, in ms, while the control is there. */
const CHANGE_WAIT = 5000;

/** Tables whose rows may go on in the next part. */
const goesOn = (table) => table.rows !== 'visible' && table.mode !== 'page';
const rowsGoOn = (table) => goesOn(table) && table.mode !== 'none';
const jsonGoesOn = () => job.tables.some((table) => goesOn(table) && table.mode === 'none');

/** The control that leads on; null where there is none that can be clicked. */
function leading() {
  const able = (el) => {
    const item = closest(el, 'li');
    if (disabled(el) || (item !== null && (disabled(item) || attribute(item, 'aria-disabled') === 'true'))) return false;
    return seen(el, false) && getComputedStyle(el).pointerEvents !== 'none';
  };
  return find(document, job.next.click).find(able) ?? null;
}

/** Two numbers that tell texts apart. */
function hash(text) {
  let a = 17;
  let b = 101;
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    a = (Math.imul(a, 31) ^ c) | 0;
    b = (Math.imul(b ^ c, 0x9e3779b1) + i) | 0;
  }
  return (a >>> 0).toString(36) + '-' + (b >>> 0).toString(36);
}

/** What a row shows by itself; what is looked for above it or in the whole page may change beside it. */
function rowText(table, row) {
  const own = table.fields.filter((field) => !ofPage(field) && !field.above).map((field) => row.fields?.[field.name] ?? null);
  return textsOf(row.cells).join('\u0001') + '\u0002' + JSON.stringify(own);
}

/** Names every harvest: grids of one name in two parts are one grid. */
function nameHarvests() {
  const times = new Map();
  for (const harvest of state.harvests) {
    const head = [harvest.table.name, harvest.first.kind, ...harvest.formed.head.map((row) => textsOf(row.cells).join('\u0001'))].join('\u0002');
    times.set(head, (times.get(head) ?? 0) + 1);
    harvest.id = times.get(head) + '.' + hash(head);
  }
}

/** Reads what the wanted tables show now, to tell whether a click changed something. */
function glimpse() {
  const texts = [];
  for (const table of job.tables.filter(rowsGoOn)) {
    for (const formed of formTargets(table)) texts.push(...prepare(table, formed).rows.map((row) => rowText(table, row)), '\u0003');
  }
  return { rows: hash(texts.join('\u0004')), text: jsonGoesOn() ? hash(documentElement(document).textContent) : '', captured: watch.captured };
}

/** True when b shows another part than a: other rows, or for rows of responses a new response and another text. */
const differs = (a, b) => a.rows !== b.rows || (a.text !== b.text && b.captured > a.captured);

/** Rows that the harvest has beyond those of the part before in this document, by position: equal rows stay two. */
function newRows(harvest, before) {
  const counts = (row) => row.role === '' || row.role === 'skipped';
  const all = harvest.rows;
  const places = all.flatMap((row, i) => (counts(row) ? [i] : []));
  const rows = places.map((i) => ({ el: all[i].el, text: rowText(harvest.table, all[i]) }));
  const old = before.get(harvest.id) ?? [];
  before.set(harvest.id, rows);
  if (old.length === 0) return all;
  const more = rows.length - old.length;
  const stand = (at) => more >= 0 && old.every((row, i) => rows[at + i].text === row.text);
  if (stand(0)) return all.slice(places[old.length - 1] + 1); // it grew at its end, or not at all
  if (stand(more)) return all.slice(0, places[more]); // at its beginning
  const there = new Map(old.map((row) => [row.el, row.text]));
  const known = rows.filter((row) => there.has(row.el));
  const same = known.filter((row) => there.get(row.el) === row.text);
  if (known.length < old.length || same.length * 2 <= old.length) return all; // replaced
  return places.filter((_, i) => !there.has(rows[i].el)).map((i) => all[i]); // between its rows, some of which changed
}

/** Takes over what the harvests have anew, and what that means for stated totals. */
function takeNew(before) {
  for (const harvest of state.harvests.filter((h) => rowsGoOn(h.table))) {
    const id = harvest.id;
    const alone = harvest.count() >= harvest.stated && namedTotal(harvest.table) === null && leading() !== null;
    if (!(id in memory.counts) && harvest.stated !== null && alone) memory.own[id] = true;
    harvest.rows = newRows(harvest, before);
    harvest.total = memory.own[id] ? null : harvest.stated;
    harvest.base = memory.counts[id] ?? 0;
    memory.counts[id] = harvest.base + harvest.count();
  }
}

/** Ends the page: decides the proofs, and says why the rest was not had. */
function endParts(short = '') {
  state.short = short;
  for (const harvest of state.harvests.filter((h) => rowsGoOn(h.table))) finish(harvest, harvest.proof);
  deliver(true);
}

/** Reads one part. False when it shows rows that were there before, or lacks a table. */
async function readPart() {
  await readLoad();
  const going = state.harvests.filter((h) => rowsGoOn(h.table));
  const lost = job.tables.find((table) => rowsGoOn(table) && !table.optional && !going.some((h) => h.table === table));
  if (memory.load > 0 && lost !== undefined) return 'part ' + (memory.load + 1) + ' of the page has no table ' + (lost.css ? quote(lost.css) : 'as before');
  const rows = going.map((h) => h.id + h.rows.map((row) => rowText(h.table, row)).join('\u0002'));
  const print = hash(rows.join('\u0003') + (jsonGoesOn() ? documentElement(document).textContent : ''));
  if (memory.prints.includes(print)) return 'part ' + (memory.load + 1) + ' of the page repeats an earlier one';
  memory.prints.push(print);
  return '';
}

const nothingNew = () => 'the click on next ' + quote(job.next.click) + ' brought nothing new';

/** Reads part after part. */
async function readParts() {
  const before = new Map();
  const max = job.next.max ?? MAX_PAGES;
  for (;;) {
    const short = await readPart();
    if (short !== '') {
      for (const harvest of state.harvests) harvest.rows = [];
      return endParts(short);
    }
    takeNew(before);
    const going = state.harvests.filter((h) => rowsGoOn(h.table));
    if (leading() !== null && memory.load > 0 && !jsonGoesOn() && going.every((h) => h.rows.length === 0)) return endParts(nothingNew());
    if (leading() === null || (going.length > 0 && !jsonGoesOn() && going.every((h) => h.met()))) return endParts();
    if (memory.load >= max) return endParts('next.max: ' + max + (max === 1 ? ' click was made' : ' clicks were made') + ' and there is more');
    sendPart();
    const end = await turnPart();
    if (end !== null) return endParts(end);
  }
}

/** Sends what the harvests hold, and what the next document must know. */
function sendPart() {
  sendAnswer(answerOf(true), 'part');
  state.harvests = state.harvests.filter((h) => rowsGoOn(h.table));
  for (const harvest of state.harvests) {
    harvest.rows = [];
    harvest.base = memory.counts[harvest.id];
  }
  memory.load++;
  remember();
}

/**
 * Clicks the control and waits for the next part.
 * @returns {Promise<string|null>} null when it is there; else why there is none, "" when this was the end
 */
async function turnPart() {
  await takeTurn();
  const before = glimpse();
  let control;
  let point;
  for (const end = now() + job.timeout / 2; ; await pause(25)) {
    control = leading();
    if (control === null) return '';
    point = await aimAt(control, job.next.click);
    if (!(point instanceof Hindrance)) break;
    if (now() >= end) return 'next: ' + point.words;
  }
  await clickAt(control, point);
  watch.last = now();
  for (const end = now() + CHANGE_WAIT; ; await pause(100)) {
    await settle();
    if (differs(before, glimpse())) return null;
    if (leading() === null) return '';
    if (now() >= end) return nothingNew();
  }
}
