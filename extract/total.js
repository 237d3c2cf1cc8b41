// The number of rows that a page states.

const NUMBER = '(\\d{1,3}(?:[.,\\s\'\u2019\u00a0\u202f]\\d{3})+|\\d+)';
/** "1 to 25 of 57", "1-25 / 57" and the like: first, last, all. */
const RANGE = new RegExp(NUMBER + '\\s*(?:-|\u2013|\u2014|to|bis|\u00e0|a|al|through)\\s*' + NUMBER + '\\s*(?:of|out of|von|sur|de|di|van|/)\\s*(?:about |over )?' + NUMBER, 'i');
/** "Showing 25 of 57", "25 of 57 rows": shown, all. */
const SHOWN = new RegExp('(?:showing|displaying|viewing)\\s*:?\\s*' + NUMBER + '\\s*(?:of|out of|/)\\s*' + NUMBER + '|' + NUMBER + '\\s*(?:of|out of|/)\\s*' + NUMBER + '\\s*(?:entries|rows|results|items|records|players|teams|products|companies|loaded|shown)', 'i');

const INFO = '.dt-info,.dataTables_info';
const PAGED = '.dt-container,.dataTables_wrapper';

/** A whole number as pages write it; null for none, or one that counts no rows. */
function numberOf(text) {
  const found = new RegExp(NUMBER).exec(text ?? '');
  const number = found ? Number(found[1].replace(/\D/g, '')) : NaN;
  return Number.isSafeInteger(number) ? number : null;
}

/** {first, last, total} of a text, or null. */
function rangeIn(text) {
  const range = RANGE.exec(text);
  const shown = range === null ? SHOWN.exec(text) : null;
  if (range === null && shown === null) return null;
  const found = range === null
    ? { first: 1, last: numberOf(shown[1] ?? shown[3]), total: numberOf(shown[2] ?? shown[4]), exact: true }
    : { first: numberOf(range[1]), last: numberOf(range[2]), total: numberOf(range[3]) };
  return found.first === null || found.last === null || found.total === null ? null : found;
}

/** What the recipe's `total` finds; undefined when the recipe names none. */
function totalText(table) {
  if (!table.total) return undefined;
  const el = findAll(table.total, table.total.css)[0];
  return el ? textOf(el, askHidden) : null;
}

/** The number in what `total` found, by its `match`. Go reads it again: RE2 and this differ little. */
function namedTotal(table) {
  const text = totalText(table);
  if (!text) return null;
  if (!table.total.match) return numberOf(text);
  try {
    const found = new RegExp(table.total.match, 'u').exec(text);
    return found ? numberOf(found[1] ?? found[0]) : null;
  } catch {
    return null;
  }
}

/**
 * The range that the page shows near a table: in the wrapper of its library, or
 * in a short text around it that counts exactly the rows shown.
 */
function rangeNear(el, shown, others) {
  const wrapper = closest(el, PAGED);
  if (wrapper !== null) {
    for (const info of find(wrapper, INFO)) {
      const range = rangeIn(fold(info.textContent));
      if (range) return range;
    }
  }
  let known = el;
  for (const place of placesAround(el, others)) {
    const range = rangeAmong(place, known, el, shown);
    if (range) return range;
    known = place;
  }
  return null;
}

/** Looks in a place around a table, but for the part of it that is known. */
function rangeAmong(place, known, el, shown) {
  const walker = document.createTreeWalker(place, NodeFilter.SHOW_ELEMENT, (node) =>
    node === known || NO_TEXT.has(localName(node)) ? NodeFilter.FILTER_REJECT : NodeFilter.FILTER_ACCEPT);
  for (let i = 0; i < 2000 && walker.nextNode(); i++) {
    const node = walker.currentNode;
    if (contains(node, el)) continue;
    const text = node.textContent;
    if (text.length > 120 || !/\d/.test(text)) continue;
    const range = rangeIn(fold(text));
    if (range === null || range.total < range.last || !displayed(node)) continue;
    // "1 to 25 of 57" may count a row of averages or two less; "25 of 57" alone must be exact.
    const slack = range.exact ? 0 : Math.max(2, shown / 10);
    if (Math.abs(range.last - range.first + 1 - shown) <= slack) return range;
  }
  return null;
}
