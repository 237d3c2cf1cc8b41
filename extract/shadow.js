// The document with its shadow trees, as one tree: what is found below an
// element, what stands around it, and in which order. A shadow tree hangs below
// its host. Roots that the page wants closed are opened by page.js, before the
// page's own scripts; those written closed into the HTML cannot be reached.

const nativeParent = getter(Node.prototype, 'parentElement');
const nativeContains = method(Node.prototype, 'contains');
const nativeClosest = method(Element.prototype, 'closest');
const nativeElementAt = method(Document.prototype, 'elementFromPoint');
const rootOf = method(Node.prototype, 'getRootNode');
const shadowRootOf = getter(Element.prototype, 'shadowRoot');
const hostOf = getter(ShadowRoot.prototype, 'host');
const findInFragment = method(DocumentFragment.prototype, 'querySelectorAll');
const assignedNodes = method(HTMLSlotElement.prototype, 'assignedNodes');

const shadows = {
  any: false, // the page has made some; until then nothing is looked for
  roots: null, // all of them, null when they must be looked for again
  watched: new WeakSet(),
};

/** True for a node that is no element: the root of a shadow tree. */
const isShadow = (node) => nodeType(node) === 11 && node instanceof ShadowRoot;

/** All shadow roots of the document. New ones are watched for changes from now on. */
function shadowRoots() {
  if (!shadows.any) return [];
  if (shadows.roots === null) {
    shadows.roots = [];
    const look = (list) => {
      for (const el of list) {
        const root = shadowRootOf(el);
        if (root === null) continue;
        shadows.roots.push(root);
        look(findInFragment(root, '*'));
      }
    };
    look(findInDocument(document, '*'));
    for (const root of shadows.roots) {
      if (shadows.watched.has(root)) continue;
      shadows.watched.add(root);
      watchTree(root);
    }
  }
  return shadows.roots;
}

/** The page has made a shadow tree, or the parser has. */
function shadowMade() {
  shadows.any = true;
  shadows.roots = null;
  watch.roots = comments.documents = null;
}
listen(document, SECRET + 's', shadowMade);
listen(document, 'DOMContentLoaded', () => {
  if (Array.from(findInDocument(document, '*')).some((el) => shadowRootOf(el) !== null)) shadowMade();
});

/** All elements below root that match: in document order, shadow trees behind it. A selector that is none throws. */
function find(root, css) {
  const found = Array.from(root === document ? findInDocument(root, css) : findInElement(root, css));
  for (const shadow of shadowRoots()) {
    if (root === document || contains(root, hostOf(shadow))) found.push(...findInFragment(shadow, css));
  }
  return found;
}
const findOne = (root, css) => {
  if (shadows.any) return find(root, css)[0] ?? null;
  return root === document ? firstInDocument(root, css) : firstInElement(root, css);
};

/** The element around a node; of what stands first in a shadow tree, its host. */
function parentElement(node) {
  const parent = nativeParent(node);
  if (parent !== null || !shadows.any) return parent;
  const root = rootOf(node);
  return isShadow(root) ? hostOf(root) : null;
}

/** True when b is a, or stands below it. */
function contains(a, b) {
  for (let node = b; ; ) {
    if (nativeContains(a, node)) return true;
    const root = shadows.any ? rootOf(node) : document;
    if (!isShadow(root)) return false;
    node = hostOf(root);
  }
}

/** The nearest element that matches, el itself or around it. */
function closest(el, css) {
  for (let node = el; ; ) {
    const found = nativeClosest(node, css);
    if (found !== null || !shadows.any) return found;
    const root = rootOf(node);
    if (!isShadow(root)) return null;
    node = hostOf(root);
  }
}

/** A node and the hosts around it, each in the tree of the next. */
function hostsOf(node) {
  const nodes = [node];
  for (let root = rootOf(node); isShadow(root); root = rootOf(nodes.at(-1))) nodes.push(hostOf(root));
  return nodes;
}

/** True when a stands before b in the document, or around it. What stands in a comment stands where the comment does. */
function precedes(a, b) {
  const apart = ownerDocument(a) !== ownerDocument(b);
  let [x, y] = apart ? [onPage(a), onPage(b)] : [a, b];
  if (shadows.any) {
    const others = hostsOf(y);
    x = hostsOf(x).find((node) => others.some((other) => rootOf(other) === rootOf(node)));
    y = others.find((other) => rootOf(other) === rootOf(x));
    if (x === y) return x === a && y !== b && !apart;
  }
  return (comparePosition(x, y) & Node.DOCUMENT_POSITION_FOLLOWING) !== 0;
}

/** The element at a point of the window, in whatever tree. */
function elementAt(x, y) {
  let el = nativeElementAt(document, x, y);
  for (let inner = el; inner !== null; ) {
    const root = shadowRootOf(inner);
    inner = root === null ? null : root.elementFromPoint(x, y);
    if (inner === el || inner === null) return el;
    el = inner;
  }
  return el;
}

/** The element that has the focus, in whatever tree. */
function focused() {
  let el = activeElement(document);
  for (let root; el !== null && (root = shadowRootOf(el)) !== null && root.activeElement !== null; ) el = root.activeElement;
  return el;
}

/** The nodes that are shown as the children of an element: of its shadow tree, and what stands in a slot. */
function shownChildren(el) {
  if (shadows.any) {
    const inner = shadowRootOf(el);
    const filled = localName(el) === 'slot' ? assignedNodes(el, { flatten: true }) : [];
    if (filled.length > 0) return filled;
    if (inner !== null) return Array.from(inner.childNodes);
  }
  const nodes = [];
  for (let node = firstChild(el); node !== null; node = nextSibling(node)) nodes.push(node);
  return nodes;
}
