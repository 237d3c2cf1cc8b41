// Frames. The pool may hold a page's frames back, for drawing them is half of the
// work of a page and nobody looks. Then they come when they are asked for here: when
// the page has set up something that waits for one, while it shows no row, and while
// this script scrolls, presses and waits. That one has come this script sees by its own
// animation frame, after those that the page had asked for.

/** The first frames after a change come as fast as on a screen, in ms; a page that wants them without end gets them less often. */
const FRAME_EVERY = 16;
const FRAME_LATER = 100;
const FRAMES_SOON = 12;
/** What watches frames needs so many after a change: one to see it, one to draw what follows. */
const FRAMES_OF_CHANGE = 2;
/** A frame that has not come by then, in ms, does not come: the page is read without it. A busy machine takes its time. */
const NO_FRAME = 500;

const drawing = {
  asked: 0, // number of the frame that is waited for
  busy: false, // one is
  begun: -Infinity, // when that began
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
  const number = ++drawing.asked;
  dispatch(document, new CustomEvent(SECRET + 'd'));
  const late = setTimeout(frameOver, NO_FRAME, number);
  requestAnimationFrame(() => {
    clearTimeout(late);
    drawing.left--;
    frameOver(number);
  });
  send('draw');
}

/** A frame has come, or is waited for no more. */
function frameOver(number) {
  if (number !== drawing.asked) return;
  drawing.busy = false;
  drawing.soon++;
  send('drawn');
  for (const resolve of drawing.waiting.splice(0)) resolve();
  if (drawing.wanted || (drawing.steady && drawing.left > 0)) wantFrame();
  else if (drawing.steady) setTimeout(drawSometimes, FRAME_LATER);
}

/** The page has set up something that waits for a frame. */
listen(document, SECRET + 'w', wantFrame);

/** What this script does now, and from now on, may make the page wait for frames in ways that it does not tell. */
function keepDrawing() {
  drawing.steady = true;
  drawing.left = FRAMES_OF_CHANGE;
  wantFrame();
}

/** One frame. The page's own scroll handlers have run by then. */
const frame = () => new Promise((resolve) => {
  drawing.waiting.push(resolve);
  if (!drawing.busy) wantFrame();
});

/** A page that is still waited for so long after its last change, in ms, may wait for frames without having told. */
const FRAMES_ANYWAY = 300;
/** Frames now and then. */
function drawSometimes() {
  if (!drawing.busy && now() - drawing.begun >= FRAME_LATER) wantFrame();
}
