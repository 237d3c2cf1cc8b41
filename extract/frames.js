// Frames. Where the recipe looks in frames this script also runs in each of them,
// with a job of its own: the tables that are looked for in frames. There it waits
// until the page itself has been read, for steps may bring the frame to show what
// is wanted, and then reads as it would read a page.

/** A frame that goes on and on with nothing in it that is wanted holds the reading so long, in ms, if other frames have it all. */
const FRAME_HOLD = 3000;
/** So many questions to the pool a timer of a frame has for coming. */
const STILL_TRIES = 50;

const frames = {
  // The page wrote the document; it may never say that it is at its end.
  written: Boolean(job.frame) && location.href === 'about:blank',
  timers: false, // have been seen to come
  still: false, // the frame's sandbox forbids scripts, and with them timers: nothing changes in it
};
if (job.frame) setTimeout(() => (frames.timers = true));

/** The things wanted of frames, by words that are the same in every frame. */
const wantedNames = () => [...job.tables.map((_, i) => 't' + i), ...(job.values ?? []).map((_, i) => 'v' + i)];

/** Those that this document does not hold. */
const lacks = () => wantedNames().filter((name) => {
  const i = Number(name.slice(1));
  if (name[0] === 't') return targetsOf(job.tables[i]).flat().length === 0;
  return findAll(job.values[i], job.values[i].css).length === 0;
});

/** Tells the pool that nothing of it is here so far. */
function tellBare() {
  const none = lacks();
  if (!state.delivered && none.length === wantedNames().length) send('bare ' + none.join(' '));
}

/** Waits until the page itself has been read. */
async function begun() {
  await new Promise((resolve) => {
    globalThis.__tabfarm_begin = resolve;
    send('frame');
  });
  for (let i = 0; i < STILL_TRIES && !frames.timers; i++) await askPool();
  frames.still = !frames.timers;
  setTimeout(tellBare, FRAME_HOLD);
}

/** Waits until a document in which nothing changes is there. */
async function parsedStill() {
  while (readyState(document) === 'loading') await askPool();
}

/** Frames that load when they come into view are loaded now. */
function wakeFrames() {
  for (const el of find(document, 'iframe[loading="lazy" i]')) {
    setAttribute(el, 'loading', 'eager');
    watch.last = now();
  }
}

/** The quiet time in ms that frames need: as for a table, while there is none, or in a frame not all that is wanted. */
function framesNeed() {
  const bare = job.frame ? (job.values ?? []).some((value) => findAll(value, value.css).length === 0) : job.frames && findOne(document, 'iframe,frame') === null;
  return !bare ? 0 : job.ready ? QUIET : QUIET_EMPTY;
}

// Where a table that is not in the page is.

const contentDocument = getter(HTMLIFrameElement.prototype, 'contentDocument');
const FRAME_LEAST = { width: 200, height: 100 }; // smaller frames show no table
const MOST_FRAMES = 3;

/**
 * Where else the tables of the job that were not found are, or may be.
 * @returns {{t: string, p: string, u?: string[]}[]|undefined} p: page, comments, iframe, or frames of other sites, which are not looked into
 */
function elsewhere() {
  const named = (table) => table.mode === 'from' || table.mode === 'each';
  const lost = job.tables.filter((t) => !t.optional && (named(t) || t.mode === 'largest' || t.mode === 'all') && targetsOf(t).flat().length === 0);
  if (lost.length === 0) return undefined;
  if (!job.comments) comments.documents = null; // nobody has watched them
  try {
    return lost.flatMap((table) => {
      const found = placeOf(table, named(table) ? table.css : CANDIDATES);
      return found === null ? [] : [{ t: table.name, ...found }];
    });
  } catch {
    return undefined; // it is only advice
  }
}

function placeOf(table, css) {
  if (table.comments) return find(document, css).length > 0 ? { p: 'page' } : null;
  if (findAll({ comments: true }, css).length > 0) return { p: 'comments' };
  const others = [];
  for (const el of find(document, 'iframe').filter(displayed)) {
    const doc = contentDocument(el);
    if (doc === null) {
      const { width, height } = rectOf(el);
      if (width >= FRAME_LEAST.width && height >= FRAME_LEAST.height && others.length < MOST_FRAMES) others.push(String(el.src));
    } else if (findInDocument(doc, css).length > 0) {
      return { p: 'iframe', u: [doc.URL] };
    }
  }
  return others.length > 0 ? { p: 'frames', u: others } : null;
}
