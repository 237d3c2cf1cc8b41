// Frames. The pool may hold a page's frames back, for painting them is half of the
// work of a page and nobody looks. Then they come when they are asked for here: when
// the page has set up something that waits for one, while it shows no row, and while
// this script scrolls, presses and waits. Where they come by themselves the pool
// answers at once.

/** The first frames after a change come as fast as on a screen, in ms; a page that wants them without end gets them less often. */
const FRAME_EVERY = 16;
const FRAME_LATER = 100;
const FRAMES_SOON = 12;
/** What watches frames needs so many after a change: one to see it, one to draw what follows. */
const FRAMES_OF_CHANGE = 2;

const drawing = {
  number: 0, // of the frame that was asked for last
  begun: -Infinity, // when that was
  busy: false, // it has not come yet
  wanted: false, // another one is wanted then
  steady: false, // so are those of each change, and others now and then
  left: FRAMES_OF_CHANGE, // since the last change
  soon: 0, // that came since then
  waiting: [], // for the next one
};

/** Asks for a frame, at its time. */
function wantFrame() {
  if (drawing.busy) {
    drawing.wanted = true;
    return;
  }
  drawing.busy = true;
  drawing.wanted = false;
  const every = drawing.soon < FRAMES_SOON ? FRAME_EVERY : FRAME_LATER;
  const wait = every - (now() - drawing.begun);
  if (wait > 0) setTimeout(drawFrame, wait);
  else drawFrame();
}

function drawFrame() {
  if (state.delivered) return;
  drawing.begun = now();
  drawing.soon++;
  dispatch(document, new CustomEvent(SECRET + 'd'));
  send('draw ' + ++drawing.number);
}

globalThis.__tabfarm_drawn = (number) => {
  if (number !== drawing.number) return;
  drawing.busy = false;
  drawing.left--;
  const waiting = drawing.waiting.splice(0);
  for (const resolve of waiting) resolve();
  if (drawing.wanted || drawing.waiting.length > 0 || (drawing.steady && drawing.left > 0)) wantFrame();
  else if (drawing.steady) setTimeout(drawSometimes, FRAME_LATER);
};

/** The page has set up something that waits for a frame. */
listen(document, SECRET + 'w', wantFrame);

/** What this script does now, and from now on, may make the page wait for frames in ways that it does not tell. */
function keepDrawing() {
  drawing.steady = true;
  drawing.left = FRAMES_OF_CHANGE;
  wantFrame();
}

/** A frame that has not come by then, in ms, does not come: the page is read without it. A busy machine takes its time. */
const NO_FRAME = 500;
/** One frame. The page's own scroll handlers have run by then. */
function frame() {
  const own = new Promise((resolve) => requestAnimationFrame(resolve));
  const asked = new Promise((resolve) => drawing.waiting.push(resolve));
  wantFrame();
  return Promise.race([Promise.all([own, asked]), pause(NO_FRAME)]);
}

/** A page that is still waited for so long after its last change, in ms, may wait for frames without having told. */
const FRAMES_ANYWAY = 300;
/** Frames now and then. */
function drawSometimes() {
  if (!drawing.busy && now() - drawing.begun >= FRAME_LATER) wantFrame();
}
