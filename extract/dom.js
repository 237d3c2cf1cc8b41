// Reading the document without trusting it. The page may have elements named
// "children" or "querySelectorAll", which a form or the document then shows in
// place of its own properties, in this world too; so everything that a form or
// the document could hide is reached through the prototypes.

const { call } = Function.prototype; // bound to a function it takes the receiver first, at half the price of Reflect.apply

/** @param {object} proto @param {string} name @returns {(node: any) => any} */
const getter = (proto, name) => call.bind(Object.getOwnPropertyDescriptor(proto, name).get);
/** @param {object} proto @param {string} name @returns {(node: any, ...rest: any[]) => any} */
const method = (proto, name) => call.bind(proto[name]);

const firstChild = getter(Node.prototype, 'firstChild');
const nextSibling = getter(Node.prototype, 'nextSibling');
const firstElement = getter(Element.prototype, 'firstElementChild');
const nextElement = getter(Element.prototype, 'nextElementSibling');
const elementCount = getter(Element.prototype, 'childElementCount');
const textContent = getter(Node.prototype, 'textContent');
const nodeType = getter(Node.prototype, 'nodeType');
const comparePosition = method(Node.prototype, 'compareDocumentPosition');
const localName = getter(Element.prototype, 'localName');
const attribute = method(Element.prototype, 'getAttribute');
const setAttribute = method(Element.prototype, 'setAttribute');
const hasAttribute = method(Element.prototype, 'hasAttribute');
const matches = method(Element.prototype, 'matches');
const rectOf = method(Element.prototype, 'getBoundingClientRect');
const clientRects = method(Element.prototype, 'getClientRects');
const scrollIntoView = method(Element.prototype, 'scrollIntoView');
const focus = method(HTMLElement.prototype, 'focus');
const activeElement = getter(Document.prototype, 'activeElement');
const scrollHeight = getter(Element.prototype, 'scrollHeight');
const clientHeight = getter(Element.prototype, 'clientHeight');
const scrollWidth = getter(Element.prototype, 'scrollWidth');
const clientWidth = getter(Element.prototype, 'clientWidth');
const isConnected = getter(Node.prototype, 'isConnected');
const checkVisibility = method(Element.prototype, 'checkVisibility');
const findInElement = method(Element.prototype, 'querySelectorAll');
const elementsBelow = (root) => elementsByTag(root, '*'); // as a list that is made only as far as it is looked at
const elementsByTag = method(Element.prototype, 'getElementsByTagName');
const firstInElement = method(Element.prototype, 'querySelector');
const firstInDocument = method(Document.prototype, 'querySelector');
const findInDocument = method(Document.prototype, 'querySelectorAll');
const documentElement = getter(Document.prototype, 'documentElement');
const documentTitle = getter(Document.prototype, 'title');
const readyState = getter(Document.prototype, 'readyState');
const scrollingElement = getter(Document.prototype, 'scrollingElement');
const styleSheets = getter(Document.prototype, 'styleSheets');
const listen = method(EventTarget.prototype, 'addEventListener');
const unlisten = method(EventTarget.prototype, 'removeEventListener');
const dispatch = method(EventTarget.prototype, 'dispatchEvent');

/** The child elements of an element. */
function childrenOf(el) {
  const found = [];
  for (let node = firstElement(el); node !== null; node = nextElement(node)) found.push(node);
  return found;
}

/** The classes of an element; an SVG's className is no string, so the attribute is read. */
const classOf = (el) => (attribute(el, 'class') ?? '').trim().replace(/\s+/g, ' ');

/**
 * Names that a library or a build makes up, other ones at the next load or the
 * next build: hashes, long numbers, React's useId, and what some libraries count.
 */
const MADE_UP = [
  /(?=[0-9a-f]*\d)(?=[0-9a-f]*[a-f])[0-9a-f]{7,}/i, /\d{5,}/, /:r[0-9a-z]*:|[\u00ab\u00bb]/, /^_r_/,
  /^(ember|ext-gen|yui_|gwt-uid|ui-id|headlessui|radix|react-select|mui|jqx|cdk|mat-|:)[\w-]*\d/i, /^(css|sc|jss|emotion)-?[a-z]*\d\w*$/i,
  /[-_](?=\w*\d)(?=\w*[a-z])(?=\w*[A-Z])[A-Za-z0-9]{5,8}$/,
];
const madeUp = (name) => MADE_UP.some((form) => form.test(name));

/**
 * A short selector that finds el and nothing else: its id, a class of its own,
 * or the way from the nearest ancestor that has one. Names that are made up do
 * not count.
 */
function selectorOf(el) {
  const only = (css) => {
    const all = inComment(el) ? findInDocument(ownerDocument(el), css) : find(document, css);
    return all.length === 1 && all[0] === el;
  };
  let tail = '';
  for (let node = el; node !== null; node = parentElement(node)) {
    const id = attribute(node, 'id');
    const names = [];
    if (id && !madeUp(id)) names.push('#' + CSS.escape(id));
    for (const name of classOf(node).split(' ')) {
      if (name && !madeUp(name)) names.push(localName(node) + '.' + CSS.escape(name));
    }
    names.push(localName(node));
    for (const name of names) {
      if (only(name + tail)) return name + tail;
    }
    let place = 1;
    for (let before = node.previousElementSibling; before; before = before.previousElementSibling) {
      if (localName(before) === localName(node)) place++;
    }
    tail = ' > ' + localName(node) + ':nth-of-type(' + place + ')' + tail;
    if (only(tail.slice(3))) return tail.slice(3);
  }
  return tail.slice(3);
}
