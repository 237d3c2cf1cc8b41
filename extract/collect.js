// Every row: by paging with the table's own control, by scrolling a grid that
// keeps only some rows, or by scrolling to the end of a list that grows.

/** What was collected of one table of the page so far. */
class Harvest {
  /** @param {object} table of the job @param {Formed} formed as it stood first */
  constructor(table, formed) {
    this.table = table;
    this.first = formed;
    this.rows = [];
    this.keys = new Map();
    this.unlike = false; // a column had another header in another window
    this.window = null; // the last one that was scrolled to
    this.total = null; // rows stated
    this.stated = null; // the same, where rows of several parts are held against it
    this.base = 0; // rows of earlier parts that count
    this.proof = '';
    this.note = '';
    this.shaky = false; // rows may have been missed
    this.torn = false; // cells were missed
    this.noSource = false; // no response is known to hold the rows
    this.noPageSource = false; // nor those of one of its pages
    this.goesOn = () => false; // whether something beside it leads to more rows
    this.sureAt = 0; // a row of a later page, without which a response proves nothing
    this.replace(formed);
  }

  replace(formed) {
    this.rows = prepare(this.table, formed).rows;
    this.formed = formed;
  }

  /** Adds the rows of a further page. */
  append(formed) {
    this.rows.push(...prepare(this.table, formed).rows);
    noteLinks();
  }

  /** Adds the rows of a further window by their keys; cells of further columns join their rows. */
  merge(formed, keyOf) {
    let added = 0;
    for (const row of prepare(this.table, formed).rows) {
      const key = keyOf(row);
      const known = this.keys.get(key);
      if (known === undefined) {
        this.keys.set(key, row);
        added++;
        continue;
      }
      row.cells.forEach((slot, i) => (known.cells[i] ??= slot));
      joinLinks(known, row);
    }
    noteLinks();
    formed.head.forEach((row, i) => {
      const known = this.formed.head[i];
      row.cells.forEach((slot, j) => {
        if (!known || !slot) return;
        known.cells[j] ??= slot;
        if (known.cells[j].text !== slot.text) this.unlike = true;
      });
    });
    this.rows = [...this.keys.values()];
    return added;
  }

  /** Rows that count for a stated total: data, and rows that the recipe skips. */
  count() {
    if (this.formed.kind === 'aria') return this.rows.filter((row) => row.role !== 'placeholder').length;
    return this.rows.filter((row) => row.role === '' || row.role === 'skipped').length;
  }

  met() {
    return this.total !== null && this.base + this.count() >= this.total;
  }
}

/** Gives the rows of a reading their roles and fields while their elements are there. */
function prepare(table, formed) {
  giveRoles(formed, { skip: table.skip, above: table.fields.map((f) => f.above).filter(Boolean) });
  readFields(formed.rows, table.fields);
  readAttributes(formed.rows, table.attrs);
  readLinks(table, formed.rows);
  return formed;
}

/** Reads again what a harvest is made of; null when it is gone. */
function readAgain(harvest) {
  const { el, kind, parts } = harvest.first;
  if (kind !== 'each' && parts === undefined && isConnected(el)) return formOne(el);
  const all = formTargets(harvest.table);
  return all.find((f) => f.el === harvest.first.el) ?? all[harvest.place] ?? null;
}

/** Collects all rows of a harvest and says why they are all, or why not. */
async function collect(harvest, others) {
  const el = harvest.first.el;
  const stated = harvest.first.kind === 'each' ? null : statedRows(harvest.first);
  const range = harvest.table.mode === 'page' ? null : rangeNear(el, shownRows(harvest), others);
  // A grid that is paged may count the rows of its page alone.
  const named = namedTotal(harvest.table);
  harvest.total = named ?? (Math.max(stated ?? 0, range?.total ?? 0) || null);
  harvest.countsItself = named === null && harvest.total === stated;
  if (harvest.table.mode === 'page') return finish(harvest, 'end');
  if (harvest.table.rows === 'visible') return finish(harvest, harvest.met() ? '' : 'none');
  if (state.leads) {
    harvest.stated = harvest.total; // of all parts
    harvest.total = null;
  }
  if (harvest.table.comments || frames.still) return finish(harvest, 'end');
  const own = harvest.table.mode === 'each' ? harvest.table.css : '';
  const pager = state.leads ? null : pagerOf(el, others, own) ?? numbersOf(el, others, own);
  if (pager !== null) {
    await turnPages(harvest, pager, others);
  } else if (!harvest.met() || missingColumns(harvest)) {
    harvest.goesOn = () => state.leads || leadsOn(el, others, own) !== '';
    await scrollAll(harvest);
    if (harvest.proof === 'source') return finish(harvest, 'source');
    if (!state.leads) await pressMore(harvest, others, own);
    const more = state.leads || harvest.met() ? '' : leadsOn(el, others, own);
    if (more !== '') {
      harvest.proof = 'none';
      harvest.note = more;
    }
  }
  finish(harvest, harvest.proof || 'end');
}

/** Decides the proof. A stated number that was not met is none, whatever else was seen. */
function finish(harvest, otherwise) {
  if (harvest.torn) harvest.proof = 'none';
  else if (harvest.met()) harvest.proof = 'total';
  else if (harvest.proof === 'source') return;
  else if (harvest.total !== null || harvest.shaky) harvest.proof = 'none';
  else harvest.proof = otherwise;
}

// Paging.

const NEXT = '.dt-paging .next,.dt-paging-button.next,.dataTables_paginate .next,.paginate_button.next';
const NEXT_WORDS = /^((go to )?(the )?next( page)?|weiter|n\u00e4chste( seite)?|suivante?|siguiente|successiv[ao]|volgende|\u203a|\u00bb|>|>>|\u2192)$/i;
const PREVIOUS_WORDS = /^((go to )?(the )?previous( page)?|prev|zur\u00fcck|vorherige( seite)?|pr\u00e9c\u00e9dente?|anterior|precedente|vorige|\u2039|\u00ab|<|<<|\u2190)$/i;
const MAX_PAGES = 10_000;

/** What may be pressed; and what may lead to the next page. */
const CONTROLS = 'button,a,[role="button"]';
const PAGERS = CONTROLS + ',li[title]';

/** The words on a control: its text, or its label. */
const wordsOn = (el) => [fold(el.textContent), attribute(el, 'aria-label'), attribute(el, 'title')].map((t) => fold(t ?? ''));

/** True for a control that leads on within the page: no link elsewhere. */
function staysHere(el) {
  const href = attribute(el, 'href');
  return localName(el) !== 'a' || href === null || href === '' || href.startsWith('#') || href.toLowerCase().startsWith('javascript:');
}

const disabled = (el) =>
  hasAttribute(el, 'disabled') || attribute(el, 'aria-disabled') === 'true' ||
  /(^|\s|-)disabled(\s|$)/.test(classOf(el)) || (parentElement(el) !== null && /(^|\s)disabled(\s|$)/.test(classOf(parentElement(el)))) || !displayed(el);

/** True for a control in an element that is itself a row: what it says is about that row. */
const inRowOf = (own, control) => own !== '' && closest(control, own) !== null;

/**
 * The control that shows a table's next page: of its library, or one beside the
 * table that says so and stays on this page. own finds the rows of a list of
 * elements, '' for tables.
 * @returns {{next: () => Element|null, previous: () => Element|null}|null}
 */
function pagerOf(el, others, own) {
  const wrapper = closest(el, PAGED);
  const library = wrapper === null ? null : findOne(wrapper, NEXT);
  if (library !== null && displayed(library)) {
    return {
      next: () => findOne(wrapper, NEXT),
      previous: () => findOne(wrapper, NEXT.replaceAll('.next', '.previous')),
    };
  }
  const says = (words, c) => !contains(el, c) && wordsOn(c).some((w) => words.test(w)) && !inRowOf(own, c) && staysHere(c) && displayed(c);
  const places = placesAround(el, others);
  const nexts = besideTable(el, places, PAGERS).filter((c) => says(NEXT_WORDS, c));
  const place = places.find((p) => nexts.some((c) => contains(p, c)));
  if (place === undefined) return null;
  const control = (words) => () => find(place, PAGERS).find((c) => says(words, c)) ?? null;
  return { next: control(NEXT_WORDS), previous: control(PREVIOUS_WORDS) };
}

const MORE_WORDS = /^((load|show|view|see) (more|all)\b.{0,30}|more( results| rows)?|mehr (laden|anzeigen)|weitere.{0,30}|afficher plus|voir plus|ver m\u00e1s|mostra altri|meer (laden|tonen))$/i;

/**
 * Words on what beside a table leads to more of its rows, as far as only the
 * recipe can follow it: a link to a next page, numbered pages, a button for more.
 */
function leadsOn(el, others, own) {
  const places = placesAround(el, others);
  const beside = (css) => besideTable(el, places, css).filter((c) => !inRowOf(own, c) && displayed(c));
  const [mores, links] = [moresBeside(el, places, own), beside('a[rel~="next"][href]')];
  const lists = beside('[class*="pagination" i],[class*="pager" i],[aria-label*="pagination" i]').filter(
    (list) => find(list, CONTROLS).filter((c) => /^\d+$/.test(fold(c.textContent))).length > 1);
  for (const place of places) {
    const here = (c) => contains(place, c);
    const more = mores.find(here);
    if (more) return 'beside it stands "' + wordsOn(more).find((w) => MORE_WORDS.test(w)) + '"' + nextHint();
    if (links.some(here)) return 'a link leads to its next page' + nextHint();
    if (lists.some(here)) return 'it has numbered pages' + nextHint();
  }
  return '';
}

/** What the recipe could do about it, or why its `next` did not. */
const nextHint = () => (job.next ? ', and next ' + quote(job.next.click) + ' matches nothing' : ', which page.next would follow');

/** The controls beside a table that say they show more. */
const moresBeside = (el, places, own) => besideTable(el, places, CONTROLS).filter(
  (c) => wordsOn(c).some((w) => MORE_WORDS.test(w)) && !inRowOf(own, c) && displayed(c) && !disabled(c));

/** What tells one row from another, for elements that are rows their text. */
const printOf = (row) => (row.cells.length > 0 ? textsOf(row.cells).join('\u0001') : fold(row.el.textContent));
/** What tells one page of a table from another. */
const fingerprint = (formed) => formed.rows.map(printOf).join('\u0002');

/** The rows that a range beside a table may count: those that are drawn, or as many as the grid says it has. */
const shownRows = (harvest) => Math.max(harvest.count(), harvest.first.kind === 'aria' ? statedRows(harvest.formed) ?? 0 : 0);

/** Quiet after a click: its change is what proves the end, unless it took the rows away or shows that it loads. */
function quietAfterPress() {
  const need = quietNeeded();
  return need <= QUIET ? Math.min(need, QUIET_PROVED) : need;
}

/** Does something to a table and reads it when it has changed and the page has come to rest; null when nothing changed. */
async function press(harvest, act, before) {
  await takeTurn();
  act();
  keepDrawing();
  watch.last = now();
  for (const end = now() + QUIET; ; await pause(25)) {
    await settle(quietAfterPress);
    const formed = readAgain(harvest);
    if (formed !== null && fingerprint(formed) !== before) return formed;
    if (now() >= end) return null;
  }
}

/** Collects a table page by page, from its first page on. */
async function turnPages(harvest, pager, others) {
  let formed = harvest.first;
  const el = formed.el;
  let range = rangeNear(el, shownRows(harvest), others);
  for (let i = 0; i < MAX_PAGES; i++) {
    const control = pager.previous();
    if (control === null || disabled(control) || range?.first === 1) break;
    const back = await press(harvest, () => control.click(), fingerprint(formed));
    if (back === null) break;
    formed = back;
    harvest.replace(formed);
    range = rangeNear(el, shownRows(harvest), others);
  }
  const lengths = harvest.total === null || harvest.met() ? null : lengthsOf(harvest, pager);
  if (lengths !== null) {
    if (await fromPages(harvest)) return; // the first page may be enough to tell
    formed = await lengthen(harvest, lengths, formed);
  }
  const seen = new Set();
  harvest.rows = [];
  for (let page = 1; page <= MAX_PAGES; page++) {
    const whole = await wholePage(harvest, formed);
    const print = fingerprint(whole);
    if (seen.has(print)) {
      harvest.proof = 'none';
      harvest.note = 'the pages began to repeat';
      return;
    }
    seen.add(print);
    if (page === 1) harvest.formed = whole.formed;
    harvest.rows.push(...whole.rows);
    const control = pager.next(page);
    // A grid that is met by its first page, and has a next one, counts that page alone.
    if (page === 1 && harvest.met() && harvest.countsItself && control !== null && !disabled(control)) harvest.total = null;
    if (control === null || disabled(control)) {
      // Taken away on the last page, or with all of the pager: then nothing is known.
      harvest.proof = (control === null && pager.previous() === null) || pager.beyond?.(page) ? 'none' : 'end';
      return;
    }
    if (harvest.met() || (await fromPages(harvest))) return;
    formed = readAgain(harvest);
    const next = formed === null ? null : await press(harvest, () => control.click(), fingerprint(formed));
    if (next === null) {
      harvest.proof = 'none';
      harvest.note = 'the control for the next page changed nothing';
      return;
    }
    formed = next;
  }
  harvest.proof = 'none';
}
