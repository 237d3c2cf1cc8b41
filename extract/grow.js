// A larger view: a grid that draws only the rows and columns in view draws more
// of them at once when it is larger, so fewer windows must be waited for. What
// is read, and how it is proven, stays as it is.

/** The largest view in px, and so many cells at once at most: more would hold the page up. */
const GROWN_HEIGHT = 6000;
const GROWN_WIDTH = 20_000;
const GROWN_CELLS = 8000;
/** So long, in ms, a grid has for drawing its larger view; else it gets its old size back. */
const GROW_WAIT = 1500;
/** What stands around the rows within one frame of theirs is at most so large, in px: header, toolbar, footer. */
const FRAME = 400;

/** Enlarges the view of a grid that is about to be scrolled, as far as its page lets it. */
async function grow(harvest, scroller) {
  if (scroller === null || scroller === scrollingElement(document)) return;
  if (harvest.first.kind !== 'aria') return; // a <table> is laid out whole for every row that comes: larger is slower
  const cells = harvest.formed.rows.reduce((n, row) => n + row.cells.filter((slot) => slot).length, 0);
  if (cells === 0) return;
  const across = scrollerFor(harvest, false);
  const width = across === null ? clientWidth(scroller) : Math.min(scrollWidth(across), GROWN_WIDTH);
  const most = (clientWidth(scroller) * clientHeight(scroller) * GROWN_CELLS) / cells / Math.max(width, 1);
  const restore = [
    across === null ? null : enlarge(across, 'width', clientWidth, width),
    enlarge(scroller, 'height', clientHeight, Math.min(scrollHeight(scroller), GROWN_HEIGHT, most)),
  ].filter((undo) => undo !== null);
  if (restore.length === 0) return;
  if ((await windowReady(harvest, scroller, GROW_WAIT)) !== null) return;
  restore.reverse().forEach((undo) => undo());
}

/**
 * Gives the outermost frame around a scroller a size at which the scroller has
 * the wanted one. Frames whose size the scroller does not follow are left alone.
 * @returns {(() => void)|null} what undoes it, null when nothing was done
 */
function enlarge(scroller, side, sizeOf, wanted) {
  const shown = sizeOf(scroller);
  if (wanted <= shown * 1.2) return null;
  const frames = [];
  for (let node = scroller; node !== null && localName(node) !== 'body'; node = parentElement(node)) {
    if (rectOf(node)[side] - shown < FRAME) frames.unshift(node);
  }
  for (const frame of frames) {
    const style = attribute(frame, 'style');
    const size = Math.ceil(wanted + rectOf(frame)[side] - shown) + 'px';
    for (const name of [side, 'min-' + side]) frame.style.setProperty(name, size, 'important');
    frame.style.setProperty('max-' + side, 'none', 'important');
    const undo = () => (style === null ? frame.removeAttribute('style') : frame.setAttribute('style', style));
    if (sizeOf(scroller) > shown * 1.1) return undo;
    undo();
  }
  return null;
}
