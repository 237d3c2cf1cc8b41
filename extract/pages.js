// Pages of a table beyond the words "next" and "previous": numbered pages, a
// button for more rows, and pages of which a grid draws only a part.

/** All rows of the page of a table that is shown: a grid that draws only some of them is scrolled. */
async function wholePage(harvest, formed) {
  const page = new Harvest(harvest.table, formed);
  noteLinks();
  page.first = { ...formed, parts: harvest.first.parts };
  page.place = harvest.place;
  const stated = formed.kind === 'html' ? null : statedRows(formed);
  if (stated !== null && (harvest.total === null || stated < harvest.total)) page.total = stated;
  if (!page.met() || missingColumns(page)) {
    const scroller = scrollerFor(page);
    page.noSource = harvest.noPageSource;
    if (drawsInPart(page, scroller) && !(await fromSource(page, scroller, true))) await scrollWindows(page, scroller);
    harvest.noPageSource = page.noSource;
  }
  if (page.torn) tear(harvest, page.note);
  if (page.shaky || (page.total !== null && !page.met())) {
    harvest.shaky = true;
    harvest.note ||= page.note;
  }
  more();
  return page;
}

/** Where DataTables lets choose how many rows a page has. */
const LENGTHS = '.dt-length select[aria-controls],.dataTables_length select[aria-controls]';
/** A page is made to have so many rows at most. */
const LONG_PAGE = 1000;

/** The list in which the rows of a page can be chosen; null where there is none, or no further page. */
function lengthsOf(harvest, pager) {
  const control = pager.next(1);
  const wrapper = closest(harvest.first.el, PAGED);
  const list = wrapper === null || control === null || disabled(control) ? null : findOne(wrapper, LENGTHS);
  return list === null || matches(list, ':disabled') || !displayed(list) ? null : list;
}

/**
 * Makes the pages of a table longer, as far as its library offers it: then fewer are
 * turned, and its server is asked less often. One that shows fewer rows than it was
 * asked for gets its own length back, or rows would be left out between its pages.
 * @returns {Promise<Formed>} the first page
 */
async function lengthen(harvest, list, formed) {
  const rows = (value) => (value === '-1' ? harvest.total : Number(value));
  const own = list.value;
  const longer = Array.from(list.options).filter((o) => !o.disabled).map((o) => o.value).filter((v) => rows(v) > rows(own) && rows(v) <= LONG_PAGE);
  longer.sort((a, b) => rows(a) - rows(b));
  const value = longer.find((v) => rows(v) >= harvest.total) ?? longer.at(-1);
  if (value === undefined) return formed;
  const first = await choose(harvest, list, value, formed);
  const short = harvest.count() < Math.min(rows(value), harvest.total);
  return short && list.value === value ? choose(harvest, list, own, first) : first;
}

/** Chooses how many rows a page has, and reads it. */
async function choose(harvest, list, value, formed) {
  const changed = await press(harvest, () => {
    list.value = value;
    tellChange(list);
  }, fingerprint(formed));
  const shown = changed ?? readAgain(harvest) ?? formed;
  harvest.replace(shown);
  return shown;
}

/** Lists of pages, by their element, class or label. */
const PAGE_LISTS = 'nav,ul,ol,[role="navigation"],[class*="pagina" i],[class*="pager" i],[aria-label*="pagina" i]';
const CURRENT = /(^|[\s_-])(active|current|selected)([\s_-]|$)/i;

/**
 * The control for the pages of a table that are numbered beside it, with no word
 * for the next one. Numbers that lead to another document are none.
 * @returns {{next: (page: number) => Element|null, previous: () => Element|null, beyond: (page: number) => boolean}|null}
 */
function numbersOf(el, others, own) {
  const places = placesAround(el, others);
  const lists = besideTable(el, places, PAGE_LISTS).filter((list) => !contains(list, el) && !inRowOf(own, list) && isPageList(list));
  const nearest = places.map((place) => lists.find((list) => contains(place, list))).find((list) => list !== undefined);
  return nearest === undefined ? null : numberedPager(nearest);
}

const numberOn = (el) => (/^\d{1,5}$/.test(fold(el.textContent)) ? Number(fold(el.textContent)) : null);

/** The controls of a list that bear a number. */
const numbersIn = (list) => find(list, CONTROLS).filter((c) => numberOn(c) !== null && displayed(c));

/** True for a list of pages that starts at 1, whose controls all stay on this page, and that shows little else. */
function isPageList(list) {
  const controls = numbersIn(list);
  const numbers = new Set(find(list, '*').filter((e) => childrenOf(e).length === 0).map(numberOn).filter((n) => n !== null));
  return controls.length > 0 && numbers.has(1) && numbers.has(2) && controls.every(staysHere) && fold(list.textContent).length < 200;
}

function numberedPager(list) {
  const parent = parentElement(list);
  const place = () => (isConnected(list) ? list : find(isConnected(parent) ? parent : document, PAGE_LISTS).find(isPageList) ?? null);
  const control = (number) => (place() === null ? null : numbersIn(place()).find((c) => numberOn(c) === number) ?? null);
  const isCurrent = (e) => hasAttribute(e, 'aria-current') || CURRENT.test(classOf(e)) || CURRENT.test(classOf(parentElement(e)));
  return {
    next: (page) => control(page + 1),
    // The first page is one press away; on it already, it is marked or its number does nothing.
    previous: () => (control(1) === null || isCurrent(control(1)) ? null : control(1)),
    beyond: (page) => place() === null || numbersIn(place()).some((c) => numberOn(c) > page),
  };
}

/** Presses the button for more rows that stands beside a table, until it goes, is put out, or does nothing. */
async function pressMore(harvest, others, own) {
  for (let i = 0; i < MAX_PAGES && !harvest.met(); i++) {
    const control = moreBeside(harvest.first.el, others, own);
    if (control === null || !staysHere(control) || sendsForm(control)) return;
    const formed = readAgain(harvest);
    if (formed === null) return;
    const before = formed.rows.map(printOf);
    const next = await press(harvest, () => control.click(), before.join('\u0002'));
    if (next === null) return; // leadsOn names the button
    const known = new Set(before);
    if (harvest.keys.size > 0) {
      await scrollAll(harvest); // of a grid that draws in part, the new rows are below
    } else if (next.rows.length > before.length) {
      harvest.replace(next);
    } else if (2 * next.rows.filter((row) => known.has(printOf(row))).length < next.rows.length) {
      harvest.append(next); // the next rows stand in the place of these
    } else {
      return; // something changed in the rows there were
    }
    harvest.proof = 'end';
    more();
  }
}

/** The control for more rows nearest to a table, as far as no other table is nearer to it. */
function moreBeside(el, others, own) {
  const places = placesAround(el, others);
  const mores = moresBeside(el, places, own);
  return places.map((place) => mores.find((c) => contains(place, c))).find((c) => c !== undefined) ?? null;
}

/** True for a button that sends a form: it would leave the page. */
const sendsForm = (el) => localName(el) === 'button' && closest(el, 'form') !== null && (attribute(el, 'type') ?? 'submit').toLowerCase() === 'submit';
