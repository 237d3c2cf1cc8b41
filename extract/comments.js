// HTML comments: some sites ship their tables inside of them. Where the recipe
// looks there, each comment that holds markup is parsed into a document of its
// own, which runs no script and loads nothing. Such a document has no styles, so
// what is hidden in it is judged by attributes alone.

const commentText = getter(CharacterData.prototype, 'data');
const ownerDocument = getter(Node.prototype, 'ownerDocument');
const treeWalker = method(Document.prototype, 'createTreeWalker');
const parseHTML = method(DOMParser.prototype, 'parseFromString');

const comments = {
  documents: null, // of all comments, null when they must be looked for again
  parsed: new WeakMap(), // comment -> {text, doc}
  homes: new WeakMap(), // document -> the comment it was made of
};

/** True for an element that stands in a comment. */
const inComment = (el) => ownerDocument(el) !== document;

/** True for a comment with markup in it; the notes to old browsers are no content. */
const hasMarkup = (comment) => /^(?!\s*\[if\b)[^]*<[a-z]/i.test(commentText(comment));

/**
 * A document of a text. A page may forbid to make one of text that is not
 * trusted, to us too; from Chrome 146 on there is a way without scripts, which it
 * cannot forbid.
 */
function documentOf(text) {
  try {
    return parseHTML(new DOMParser(), text, 'text/html');
  } catch (e) {
    if (typeof Document.parseHTML !== 'function') throw e;
    return Document.parseHTML(text, { sanitizer: { removeElements: [], removeAttributes: [] } });
  }
}

/** The document of a comment: the same one until its text changes. */
function parsed(comment) {
  const text = commentText(comment);
  const known = comments.parsed.get(comment);
  if (known?.text === text) return known.doc;
  const doc = documentOf(text);
  comments.parsed.set(comment, { text, doc });
  comments.homes.set(doc, comment);
  return doc;
}

/** The comments with markup at or below a node. */
function commentsIn(root) {
  const found = nodeType(root) === 8 && hasMarkup(root) ? [root] : [];
  const walker = treeWalker(document, root, NodeFilter.SHOW_COMMENT);
  for (let node = walker.nextNode(); node !== null; node = walker.nextNode()) {
    if (hasMarkup(node)) found.push(node);
  }
  return found;
}

/** The documents of all comments, in the order of the page, those in shadow trees behind. */
function commentDocuments() {
  comments.documents ??= [document, ...shadowRoots()].flatMap(commentsIn).map(parsed);
  return comments.documents;
}

/**
 * All elements that match where something of the job is looked for.
 * @param {{comments?: boolean}} where a table, field or total
 */
function findAll(where, css) {
  if (!where.comments) return find(document, css);
  return commentDocuments().flatMap((doc) => Array.from(findInDocument(doc, css)));
}

/** A node, or of one that stands in a comment the comment. */
function onPage(node) {
  const doc = ownerDocument(node);
  return doc === document ? node : comments.homes.get(doc) ?? node;
}

/** True when a change brings or takes comments, or changes the text of one. */
function touchesComments(record) {
  if (record.type === 'attributes') return false;
  if (record.type === 'characterData') return nodeType(record.target) === 8;
  return [...record.addedNodes, ...record.removedNodes].some((node) => commentsIn(node).length > 0);
}
