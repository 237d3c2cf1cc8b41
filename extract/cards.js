// Rows that are no table: elements that repeat, with what differs in them. Only
// who writes a recipe for a page asks for them.

/** So many equal elements make a list of cards; each must have so many fields. */
const LEAST_CARDS = 4;
const LEAST_FIELDS = 2;
const MOST_FIELDS = 20;
/** Fields are looked for in so many cards. */
const SAMPLE_CARDS = 40;
/** No rows of data: what leads elsewhere, and what tables and grids are made of. */
const NO_CARDS = 'table,nav,header,footer,select,svg,form,[role="navigation"],' + GRIDS;

/** Names of columns for elements that only their tag tells apart. */
const TAG_WORDS = { h1: 'title', h2: 'title', h3: 'title', h4: 'title', h5: 'title', h6: 'title', a: 'name', p: 'text', span: 'text', div: 'text', li: 'text', strong: 'name', b: 'name' };

/** The repeated elements of the page that hold the most values; null for none. */
function cardsOf() {
  const groups = new Map();
  for (const el of find(document, 'body [class]')) {
    const name = classOf(el).split(' ')[0];
    if (!name || NO_TEXT.has(localName(el)) || closest(el, NO_CARDS) !== null) continue;
    const css = localName(el) + '.' + CSS.escape(name);
    if (!groups.has(css)) groups.set(css, []);
    groups.get(css).push(el);
  }
  let best = null;
  for (const [selector, els] of groups) {
    if (els.length < LEAST_CARDS || !displayed(els[0])) continue;
    if (els.some((el) => closest(parentElement(el), selector) !== null)) continue;
    const fields = cardFields(els.slice(0, SAMPLE_CARDS));
    const size = els.length * fields.length;
    if (fields.length >= LEAST_FIELDS && (best === null || size > best.size)) best = { selector, fields, size };
  }
  return best === null ? null : { selector: best.selector, fields: best.fields };
}

/** What differs from card to card: data attributes, then texts, then where it leads. */
function cardFields(cards) {
  const fields = [];
  const add = (field) => {
    const values = cards.map((card) => fieldText(field.css ? findOne(card, field.css) : card, field));
    const there = values.filter((v) => v !== null && v !== '' && v.length < 1000);
    if (there.length >= 0.8 * cards.length && new Set(there).size > 1 && fields.length < MOST_FIELDS) {
      fields.push({ ...field, optional: there.length < cards.length });
    }
  };
  for (const { name } of Array.from(cards[0].attributes)) {
    if (name.startsWith('data-')) add({ name: name.slice(5), attr: name });
  }
  const seen = new Set();
  for (const el of find(cards[0], '*')) {
    const own = Array.from(el.childNodes).some((node) => nodeType(node) === 3 && fold(node.data) !== '');
    const css = own ? fieldCSS(el, cards) : null;
    if (css === null || seen.has(css)) continue;
    seen.add(css);
    add({ name: TAG_WORDS[css] ?? css.replace(/^\./, ''), css });
  }
  if (findOne(cards[0], 'a[href]') !== null) add({ name: 'link', css: 'a[href]', attr: 'href' });
  return fields;
}

/** A selector that finds one element in every card that has it: a class, or a tag; null for none. */
function fieldCSS(el, cards) {
  const classes = classOf(el).split(' ').filter(Boolean).map((name) => '.' + CSS.escape(name));
  return [...classes, localName(el)].find((css) => cards.every((card) => find(card, css).length <= 1)) ?? null;
}
