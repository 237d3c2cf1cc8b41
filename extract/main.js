// The way of a reading: wait, read, collect, deliver.

/** Chunks of the answer stay well below what one message may hold. */
const CHUNK = 250_000;
/** The largest answer in characters; the pool takes 64 MB. */
const MAX_ANSWER = 40_000_000;

const state = {
  harvests: [], delivered: false,
  leads: false, // the recipe's next is the way to more rows
  short: '', // why the parts that it leads to are not all there
};

/** The document that this script reads. The window of an empty frame may come to hold another one. */
const home = document;

function send(text) {
  if (document === home) __tabfarm(text);
}

/** So often, in ms, the pool is told that the reading goes on. */
const MORE_EVERY = 500;
let toldMore = 0;
/** Tells the pool that a further part came: its deadline is for each part, not for all of them. */
function more() {
  if (now() - toldMore < MORE_EVERY) return;
  toldMore = now();
  send('more ' + job.timeout);
}

let turns = 0;
let turnGranted = null;
/** Waits for the right to make the page ask its host for more. */
function takeTurn() {
  send('more ' + job.timeout);
  return new Promise((resolve) => {
    turnGranted = resolve;
    send('turn ' + ++turns);
  });
}
globalThis.__tabfarm_turn = (number) => {
  if (number === turns && turnGranted !== null) turnGranted();
};

/** One grid of the answer, in the form that Decode checks. */
function gridOf(harvest) {
  const formed = harvest.formed;
  const columns = keptColumns(harvest);
  const texts = (row) => columns.map((i) => (row.cells[i] ? row.cells[i].text : null));
  const grid = {
    table: harvest.table.name, part: harvest.id, kind: formed.kind,
    selector: (job.frame ? 'iframe >> ' : harvest.table.comments ? 'comments >> ' : '') + (formed.kind === 'each' ? harvest.table.css : selectorOf(wholeOf(formed))),
    caption: formed.caption, header: formed.head.map(texts), foot: formed.foot.map(texts),
    rows: harvest.rows.map((row) => rowOf(row, columns, texts, harvest.table.attrs ?? [])),
    proof: harvest.proof || 'none', total: harvest.total, note: harvest.note,
  };
  if (job.look) grid.classes = classOf(formed.el).split(' ').filter(Boolean);
  const text = totalText(harvest.table);
  if (text !== undefined) grid.totalText = text;
  grid.complete = grid.proof !== 'none';
  return grid;
}

/** The element of a table; of one in several parts what holds them all and no other table, so that its selector finds all. */
function wholeOf(formed) {
  const parts = formed.parts ?? [];
  if (parts.length < 2) return formed.el;
  let around = parentElement(formed.el);
  while (around !== null && !parts.every((part) => contains(around, part))) around = parentElement(around);
  return around !== null && tablesIn(around).every((el) => parts.some((part) => contains(part, el))) ? around : formed.el;
}

/** The columns that hold a cell: grids of divs number theirs with gaps. */
function keptColumns(harvest) {
  const width = Math.max(0, harvest.formed.width, ...[harvest.formed.head, harvest.rows, harvest.formed.foot].map((l) => l.reduce((w, r) => Math.max(w, r.cells.length), 0)));
  const all = Array.from({ length: width }, (_, i) => i);
  if (harvest.formed.kind !== 'aria') return all;
  const used = new Set();
  for (const row of [...harvest.formed.head, ...harvest.rows]) row.cells.forEach((slot, i) => slot && used.add(i));
  return all.filter((i) => used.has(i));
}

function rowOf(row, columns, texts, attrs) {
  const out = { c: texts(row) };
  const wide = columns.flatMap((column, i) => (row.cells[column]?.wide ? [i] : []));
  if (wide.length > 0) out.s = wide;
  if (row.role) out.r = row.role;
  if (row.fields) out.f = row.fields;
  for (const name of attrs) {
    out.a ??= {};
    out.a[name] = columns.map((i) => row.cells[i]?.attrs?.[name] ?? null);
  }
  if (row.links?.length > 0) out.l = row.links;
  if (row.cls ?? classOf(row.el)) out.k = (row.cls ?? classOf(row.el)).slice(0, 200);
  return out;
}

/** What is sent of an error. */
const wordsOf = (e) => (e instanceof TooLarge ? e.message || 'too large' : String(e?.stack ?? e));

/**
 * What was read, as the answer tells it.
 * @param {boolean} settled the page has come to rest
 * @param {string} error of this script
 * @param {{outcome: string, message: string}} [stop] why the steps did not come to their end
 */
function answerOf(settled, error = '', stop = undefined) {
  let grids = [];
  try {
    if (error === '') noteLinks();
    grids = state.harvests.map(gridOf);
    if (!settled) {
      for (const grid of grids) {
        if (grid.proof !== 'total') Object.assign(grid, { proof: 'none', complete: false });
      }
    }
  } catch (e) {
    error = wordsOf(e);
  }
  const bare = !job.frame && (state.harvests.length === 0 || state.harvests.some((h) => h.rows.length === 0));
  const answer = {
    version: 1, url: location.href, title: fold(documentTitle(document)),
    lang: attribute(documentElement(document), 'lang') ?? '', settled, grids, signs: signsOf(), error, stop,
    short: state.short || undefined, consent: bare ? consentWall() : null,
  };
  if (job.embedded) answer.embedded = embeddedJSON();
  if (job.values) answer.values = valuesNow();
  if (!job.frame) answer.elsewhere = elsewhere();
  if (job.look) answer.cards = cardsOf();
  if (linksSeen.loose.size > 0) answer.links = looseLinks();
  return answer;
}

/** Sends an answer and says what it is: "part", more follow, or "done". */
function sendAnswer(answer, word) {
  let text = JSON.stringify(answer);
  if (text.length > MAX_ANSWER) text = JSON.stringify({ ...answer, grids: [], links: [], error: answer.error || 'too large' });
  const chunks = cut(text);
  chunks.forEach((chunk, i) => send('data ' + i + ' ' + chunks.length + ' ' + chunk));
  send(word);
}

/** Sends the answer and ends. Where the steps did not come to their end, frames are not read either. */
function deliver(settled, error = '', stop = undefined) {
  if (state.delivered) return;
  state.delivered = true;
  observer.disconnect();
  let done = stop ? 'done alone' : 'done';
  if (job.frame) done = ['done', ...(error === '' ? lacks() : wantedNames())].join(' ');
  sendAnswer(answerOf(settled, error, stop), done);
  if (!job.frame && !job.frames) stopPage();
}

/** Cuts a text into chunks, never between the two halves of a character. */
function cut(text) {
  const chunks = [];
  for (let at = 0; at < text.length; ) {
    let end = Math.min(at + CHUNK, text.length);
    if (end < text.length && /[\ud800-\udbff]/.test(text[end - 1])) end--;
    chunks.push(text.slice(at, end));
    at = end;
  }
  return chunks;
}

/** Reads all that the job wants as it stands. */
function readAll() {
  state.harvests = [];
  for (const table of job.tables) {
    if (table.mode === 'none' && !table.total) continue;
    formTargets(table).forEach((formed, place) => {
      const harvest = new Harvest(table, formed);
      harvest.place = place;
      state.harvests.push(harvest);
    });
  }
  noteLinks();
}

/** The harvests whose rows must all be had: of the tables among which the largest is looked for, only that one. */
function toCollect() {
  const largest = new Map();
  const size = (h) => Math.max(h.rows.length, statedRows(h.first) ?? 0) * Math.max(h.formed.width, 1);
  for (const harvest of state.harvests) {
    if (harvest.table.mode !== 'largest') continue;
    const other = largest.get(harvest.table);
    if (other === undefined || size(harvest) > size(other)) largest.set(harvest.table, harvest);
  }
  return state.harvests.filter((h) => h.table.mode !== 'largest' || largest.get(h.table) === h);
}

/** Reads the tables as the page shows them now, all their rows. */
async function readLoad() {
  send('read');
  readAll();
  if (job.next) nameHarvests();
  if (memory.load > 0) {
    state.harvests = state.harvests.filter((h) => rowsGoOn(h.table) && (h.table.mode !== 'largest' || h.id === memory.chosen[h.table.name]));
  }
  const others = state.harvests.filter((h) => h.first.kind !== 'each').flatMap((h) => h.formed.parts ?? [h.first.el]);
  const chosen = toCollect();
  for (const harvest of state.harvests) {
    if (chosen.includes(harvest)) await collect(harvest, others.filter((el) => !(harvest.formed.parts ?? []).includes(el)));
    else finish(harvest, 'end');
  }
  for (const harvest of chosen) if (harvest.table.mode === 'largest') memory.chosen[harvest.table.name] = harvest.id;
}

async function read() {
  if (job.frame) await begun();
  if (job.steps || job.next) await recall();
  if (job.steps) await takeSteps();
  await settle();
  state.leads = Boolean(job.next) && job.tables.some(goesOn) && (memory.load > 0 || findOne(document, job.next.click) !== null);
  if (state.leads) return readParts();
  await readLoad();
  deliver(true);
}

/** The deadline has come: what was read so far is sent as it is. */
globalThis.__tabfarm_last = () => {
  if (state.delivered) return;
  if (onTheWay()) {
    deliverStop();
    return;
  }
  if (memory.load > 0) { // of a part that was not read to its end nothing is sent
    for (const harvest of state.harvests) harvest.rows = [];
    state.short = 'the time was over at part ' + (memory.load + 1);
    deliver(false);
    return;
  }
  try {
    if (state.harvests.length === 0) readAll();
    for (const harvest of state.harvests) {
      if (harvest.proof === '' && harvest.note === '') harvest.note = 'then the time was over';
    }
  } catch (e) {
    deliver(false, wordsOf(e));
    return;
  }
  deliver(false);
};

read().catch((e) => deliver(false, wordsOf(e)));
