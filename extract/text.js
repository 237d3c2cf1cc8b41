// The text of a cell: what is shown, blocks and line breaks spaced, white space
// folded, invisible characters dropped, footnote marks left out.

const NO_TEXT = new Set(['script', 'style', 'template', 'noscript', 'svg', 'iframe', 'object', 'video', 'audio', 'canvas']);
const BLOCKS = new Set(['address', 'article', 'aside', 'blockquote', 'dd', 'details', 'dialog', 'div', 'dl', 'dt', 'fieldset', 'figcaption', 'figure', 'footer', 'form', 'h1', 'h2', 'h3', 'h4', 'h5', 'h6', 'header', 'hgroup', 'hr', 'li', 'main', 'nav', 'ol', 'p', 'pre', 'section', 'summary', 'td', 'th', 'tr', 'ul']);

/** Zero-width characters, marks of direction, soft hyphens. Joiners stay: words and emoji need them. */
const INVISIBLE = /[\u00ad\u200b\u200e\u200f\u202a-\u202e\u2060-\u2064\u2066-\u2069\ufeff]/g;

/** What needs no folding, as most cells. */
const PLAIN = /^(?:[!-~]+(?: [!-~]+)*)?$/;

/** Folds white space and drops what shows nothing. */
const fold = (text) => PLAIN.test(text) ? text : text.replace(INVISIBLE, '').replace(/\s+/g, ' ').trim();

/** True for a <sup> that is a footnote mark: bracketed, a symbol, or a link into the page. */
function isNote(sup, text) {
  if (/^\[.*\]$|^\(.*\)$|^[*\u2020\u2021\u00a7\u00b6^~#+\u2022]+$/.test(text)) return true;
  return find(sup, 'a[href]').some((a) => attribute(a, 'href').startsWith('#'));
}

/**
 * The text of an element.
 * @param {Element} root
 * @param {(el: Element, unsure?: boolean) => string} eyes says what is hidden
 * @param {boolean} unseen the element is invisible; parts of it may be visible yet
 */
function textOf(root, eyes, unseen = false) {
  if (elementCount(root) === 0 && localName(root) !== 'slot' && (!shadows.any || shadowRootOf(root) === null)) return unseen ? '' : fold(textContent(root));
  let out = '';
  let left = null; // an inline element that ended just before
  const joins = () => out !== '' && !/\s$/.test(out);
  const spaced = (el) => {
    if (inComment(el)) return false;
    const display = getComputedStyle(el).display;
    return !display.startsWith('inline') && display !== 'contents' && !display.startsWith('ruby');
  };
  const append = (text) => {
    if (left !== null && joins() && /^\S/.test(text) && spaced(left)) out += ' ';
    if (text !== '') left = null;
    out += text;
  };
  const script = (el, name, unsure) => {
    const text = textOf(el, eyes);
    if (name === 'sup' && isNote(el, text)) return;
    if (/^(st|nd|rd|th|er|re|e|\u00ba|\u00aa|tm|\u2122|\u00ae)$/i.test(text) && name === 'sup') append(text);
    else if (text !== '') append((name === 'sup' ? '^' : '_') + text);
  };
  const walk = (parent, dark) => {
    for (const node of shownChildren(parent)) {
      const type = nodeType(node);
      if (type === 3 && !dark) append(node.data);
      if (type !== 1) continue;
      const name = localName(node);
      if (NO_TEXT.has(name)) continue;
      const hidden = eyes(node, dark);
      if (hidden === 'none') continue;
      if (hidden === '') element(node, name);
      else if (name !== 'table') walk(node, true);
    }
  };
  const element = (el, name) => {
    if (name === 'br' || name === 'wbr') {
      if (name === 'br') out += ' ';
    } else if (name === 'table') {
      out += ' '; // a nested table is apart
    } else if (name === 'sup' || name === 'sub') {
      script(el, name);
    } else if (name === 'select') {
      append(Array.from(el.selectedOptions ?? [], (o) => o.label).join(' '));
    } else if (name === 'input') {
      if (/^(text|number|search|email|tel|url|date|time|month)$/.test(el.type)) append(String(el.value));
    } else if (name === 'textarea') {
      append(String(el.value));
    } else if (BLOCKS.has(name)) {
      out += ' ';
      walk(el, false);
      out += ' ';
    } else {
      if (joins() && spaced(el)) out += ' ';
      walk(el, false);
      left = el;
    }
  };
  walk(root, unseen);
  return fold(out);
}
