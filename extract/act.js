// What a person does on the page. The events are Chrome's own: the pool gives
// them to the page; here is found out where.

let acts = 0;
let actEnded = null;
globalThis.__tabfarm_did = (number, error) => {
  if (number === acts && actEnded !== null) actEnded(error);
};

/**
 * Gives the page inputs, in their order; resolves to what went wrong, "" for nothing.
 * An input that makes the page leave is done when it begins to: while a document is
 * on its way Chrome holds back what the pool says to this one, also that it is done,
 * and one that never comes would hold it until the deadline.
 */
function input(...list) {
  return new Promise((resolve) => {
    const leaves = () => ended('');
    const ended = (error) => {
      unlisten(globalThis, 'beforeunload', leaves);
      resolve(error);
    };
    listen(globalThis, 'beforeunload', leaves);
    actEnded = ended;
    send('input ' + ++acts + ' ' + JSON.stringify(list));
  });
}

/** Runs a source in the page's own world; resolves to the error that came of it, "" for none. */
function runInPage(source) {
  return new Promise((resolve) => {
    actEnded = resolve;
    send('run ' + ++acts + ' ' + source);
  });
}

const BACKSPACE = { key: 'Backspace', code: 'Backspace', keyCode: 8 };

/** Why something cannot be done now; it is tried until the time is over. */
class Hindrance {
  /** @param {string} outcome the page's, if it stays so @param {string} words */
  constructor(outcome, words) {
    this.outcome = outcome;
    this.words = words;
  }
}

const quote = (text) => JSON.stringify(text);

/** True for an element that can be seen; what is clicked may be as clear as glass. */
const seen = (el, opaque = true) => checkVisibility(el, { visibilityProperty: true, opacityProperty: opaque });

/**
 * The first element that matches, is shown if it must be, and can be used.
 * @returns {Element|Hindrance}
 */
function usable(css, hidden = false) {
  const all = find(document, css);
  if (all.length === 0) return new Hindrance('selector_missing', 'nothing matches ' + quote(css));
  const shown = hidden ? all : all.filter((el) => seen(el, false));
  if (shown.length === 0) return new Hindrance('selector_missing', quote(css) + ' is there but not shown');
  return shown.find((el) => !matches(el, ':disabled')) ?? new Hindrance('timeout', quote(css) + ' is disabled');
}

/** Names an element for a message: its selector and the beginning of its text. */
function nameOf(el) {
  const id = attribute(el, 'id');
  const name = localName(el) + (id ? '#' + id : '') + classOf(el).split(' ').slice(0, 3).map((c) => c && '.' + c).join('');
  const text = fold(el.textContent).slice(0, 40);
  return text === '' ? name : name + ' (' + quote(text) + ')';
}

/** The part of an element that a click is meant for: of several lines the first. */
const boxOf = (el) => Array.from(clientRects(el)).find((r) => r.width > 0 && r.height > 0) ?? rectOf(el);

/** The middle of a box, as far as it is in the window; null where nothing of it is. */
function middleOf(box) {
  const [left, right] = [Math.max(box.left, 0), Math.min(box.right, innerWidth)];
  const [top, bottom] = [Math.max(box.top, 0), Math.min(box.bottom, innerHeight)];
  return right > left && bottom > top ? { x: (left + right) / 2, y: (top + bottom) / 2 } : null;
}

function showMiddle(el) {
  scrollIntoView(el, { block: 'center', inline: 'center', behavior: 'instant' }); // newer browsers give a promise
}

/**
 * Where to click so that el gets the click. It is brought into the window, must
 * stand still for two frames, and nothing may lie over it.
 * @returns {Promise<{x: number, y: number}|Hindrance>}
 */
async function aimAt(el, css) {
  const inside = (b) => b.top >= 0 && b.left >= 0 && b.bottom <= innerHeight && b.right <= innerWidth;
  if (!inside(boxOf(el))) showMiddle(el);
  const before = boxOf(el);
  await frame();
  await frame();
  const box = boxOf(el);
  if (box.left !== before.left || box.top !== before.top) return new Hindrance('timeout', quote(css) + ' keeps moving');
  const point = middleOf(box);
  if (point === null) return new Hindrance('timeout', quote(css) + ' cannot be brought into the window');
  const hit = elementAt(point.x, point.y);
  if (hit !== null && (contains(el, hit) || closest(hit, 'label')?.control === el)) return point;
  showMiddle(el); // it may lie under a bar that stays
  return new Hindrance('timeout', quote(css) + ' is covered by ' + (hit === null ? 'the edge of the window' : nameOf(hit)));
}

/** Clicks a point of an element. What would open in another window is opened in this one: there is no other. */
function clickAt(el, point) {
  const elsewhere = closest(el, 'a[target="_blank" i],area[target="_blank" i],form[target="_blank" i]');
  if (elsewhere !== null) setAttribute(elsewhere, 'target', '_self');
  return input({ mouse: 'moved', ...point }, { mouse: 'pressed', ...point }, { mouse: 'released', ...point });
}

/** Tells the page that a value was changed, as the browser does after a person's change. */
function tellChange(el) {
  dispatch(el, new Event('input', { bubbles: true, composed: true }));
  dispatch(el, new Event('change', { bubbles: true }));
}

/** Fields with a form of value of their own, into which text cannot be typed as a whole. */
const PICKED = new Set(['date', 'time', 'datetime-local', 'month', 'week', 'color', 'range']);
/** How these write their values, for a message. */
const PICKED_FORM = { date: '2026-12-31', time: '23:59', 'datetime-local': '2026-12-31T23:59', month: '2026-12', week: '2026-W53', color: '#ff8800', range: '50' };
const NO_TEXT_INPUT = new Set(['checkbox', 'radio', 'button', 'submit', 'reset', 'image', 'file', 'hidden']);

/** What kind of field an element is: "picked", "text", "editable", or "" for none. */
function fieldKind(el) {
  const name = localName(el);
  if (name === 'input') return PICKED.has(el.type) ? 'picked' : NO_TEXT_INPUT.has(el.type) ? '' : 'text';
  return name === 'textarea' ? 'text' : el.isContentEditable ? 'editable' : '';
}

const valueOf = (el) => (fieldKind(el) === 'editable' ? el.textContent : el.value);

/** Selects all that a field holds. */
function selectAll(el) {
  if (fieldKind(el) !== 'editable') {
    el.select();
    return;
  }
  const range = document.createRange();
  range.selectNodeContents(el);
  const selection = getSelection();
  selection.removeAllRanges();
  selection.addRange(range);
}

/**
 * Puts a text into a field in the place of what it holds.
 * @returns {Promise<Hindrance|null>} why the field does not hold it now
 */
async function fillField(el, css, text, secret) {
  const said = secret ? 'the secret' : quote(text);
  focus(el);
  if (focused() !== el) return new Hindrance('timeout', quote(css) + ' does not take the focus');
  if (fieldKind(el) === 'picked') {
    el.value = text;
    tellChange(el);
    if (el.value === text || (text !== '' && el.value !== '')) return null;
    return new Hindrance('bad_value', quote(css) + ' is a field of type ' + el.type + ' and does not take ' + said + ': it takes ' + PICKED_FORM[el.type]);
  }
  selectAll(el);
  const error = await input(text === '' ? BACKSPACE : { text });
  if (error !== '') return new Hindrance('script_error', quote(css) + ' took no text: ' + error);
  if (text !== '' && valueOf(el) === '') { // a number field holds nothing while it is none
    el.value = text;
    dispatch(el, new Event('input', { bubbles: true, composed: true }));
  }
  dispatch(el, new Event('change', { bubbles: true })); // the browser's own comes only when the field is left
  const holds = valueOf(el);
  if (text !== '' && (holds === '' || (holds.length < text.length && text.startsWith(holds)))) {
    return new Hindrance('bad_value', quote(css) + ' does not hold ' + said + ' after it was filled in' + (secret ? '' : ', but ' + quote(holds)));
  }
  return null;
}

/** The option of a list that has this value, or else shows this label. */
function optionOf(list, text) {
  const options = Array.from(list.options);
  const label = (o) => fold(o.label);
  return options.find((o) => o.value === text) ?? options.find((o) => label(o) === fold(text)) ??
    options.find((o) => label(o).toLowerCase() === fold(text).toLowerCase()) ?? null;
}
