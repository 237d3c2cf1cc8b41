// The steps of the recipe, one after the other, before the tables are read. A
// step may lead to another document; the script there goes on with the step
// behind it, for what is done is kept with the pool before each step acts.

/** An optional step looks so long for what it needs, in ms. */
const OPTIONAL_WAIT = 2000;

/** What this page's scripts know of each other, document after document. */
const memory = {
  step: 0, // steps that are done
  load: 0, // clicks on next
  counts: {}, // rows that count for a total, by the id of their grid
  own: {}, // ids of grids whose stated total is of one load only
  prints: [], // of the loads so far
  links: 0, // links that have a number
  chosen: {}, // id of the grid that is read, by table, where the largest is looked for
};

const remember = () => send('keep ' + JSON.stringify(memory));

let kept = null;
globalThis.__tabfarm_kept = (text) => {
  if (kept !== null && text !== '') Object.assign(memory, JSON.parse(text));
  kept?.();
};

/** Learns what the document before this one knew. */
function recall() {
  return new Promise((resolve) => {
    kept = resolve;
    send('recall');
  });
}

/** The step that is on: what it waits for is told when the time is over. */
let current = null;

/** A step that cannot be done. */
class StepFailed extends Error {}

/**
 * Waits until look gives something else than a hindrance.
 * @param {() => any} look may be async
 * @param {boolean} optional looks for a short while only
 */
async function until(look, optional) {
  const end = optional ? now() + OPTIONAL_WAIT : Infinity;
  for (;;) {
    if (state.delivered) await never();
    const found = await look();
    const stands = found instanceof Hindrance;
    current.hindrance = stands ? found : LATE;
    if (!stands) return found;
    if (now() >= end) throw new StepFailed();
    await pause(25);
  }
}

/** Ends a step for good. */
function fail(outcome, words) {
  current.hindrance = new Hindrance(outcome, words);
  throw new StepFailed();
}

/** True where a step may make the page ask its host for something. */
const mayLoad = (step) => !/^(fill|wait|wait_gone)$/.test(step.verb);

/**
 * Waits until the page has come to rest after what was done: nothing that was in
 * flight then may be left, and no short timer. A page that never rests is left
 * to the next step, which waits for what it needs.
 */
async function calm() {
  watch.last = now();
  await settle(() => (readyState(document) === 'loading' ? Infinity : QUIET_PROVED), now() + job.timeout / 2);
}

/** Does what a step does. Whatever comes of it, this step is done. */
async function perform(step, does) {
  memory.step = current.number;
  remember();
  if (step.fresh) send('forget');
  const hindrance = await does();
  if (hindrance) fail(hindrance.outcome, hindrance.words);
}

const verbs = {
  async click(step) {
    await until(() => usable(step.target), step.optional);
    await takeTurn();
    let el;
    const point = await until(() => {
      el = usable(step.target);
      return el instanceof Hindrance ? el : aimAt(el, step.target);
    }, step.optional);
    await perform(step, async () => failed(await clickAt(el, point)));
  },

  async fill(step) {
    const el = await until(() => {
      const el = usable(step.target);
      if (el instanceof Hindrance) return el;
      if (el.readOnly) return new Hindrance('timeout', quote(step.target) + ' is read-only');
      return fieldKind(el) === '' ? new Hindrance('selector_missing', quote(step.target) + ' is no field for text but ' + nameOf(el)) : el;
    }, step.optional);
    await perform(step, () => fillField(el, step.target, step.value ?? '', step.secret));
  },

  async select(step) {
    const look = () => {
      const el = usable(step.target, true); // a list may be hidden below a nicer one
      if (el instanceof Hindrance) return el;
      if (localName(el) !== 'select') return new Hindrance('selector_missing', quote(step.target) + ' is no list but ' + nameOf(el) + '. Click it instead');
      const option = optionOf(el, step.value ?? '');
      if (option !== null) return { el, option };
      const labels = Array.from(el.options, (o) => quote(fold(o.label))).slice(0, 20).join(', ');
      return new Hindrance('selector_missing', quote(step.target) + ' has no option ' + (step.secret ? 'with the secret' : quote(step.value ?? '')) + '. It has ' + (labels || 'none'));
    };
    await until(look, step.optional);
    await takeTurn();
    const { el, option } = await until(look, step.optional);
    await perform(step, () => {
      focus(el);
      option.selected = true;
      tellChange(el);
    });
  },

  async press(step) {
    await takeTurn();
    await perform(step, async () => failed(await input(step.key)));
  },

  wait: (step) => until(() => {
    const all = find(document, step.target);
    if (all.length === 0) return new Hindrance('timeout', 'nothing matches ' + quote(step.target));
    return all.some((el) => seen(el)) || new Hindrance('timeout', quote(step.target) + ' is there but not shown');
  }, step.optional),

  wait_gone: (step) => until(() => {
    const there = find(document, step.target).some((el) => seen(el));
    return there ? new Hindrance('timeout', quote(step.target) + ' does not go') : true;
  }, step.optional),

  async scroll(step) {
    if (step.target !== 'end') await until(() => usable(step.target), step.optional);
    await takeTurn();
    if (step.target !== 'end') {
      const el = await until(() => usable(step.target), step.optional);
      return perform(step, () => showMiddle(el));
    }
    await perform(step, async () => {
      const scroller = scrollingElement(document) ?? documentElement(document);
      for (const end = scrollHeight(scroller); leftBelow(scroller) > 1 && scroller.scrollTop < end; ) {
        const before = scroller.scrollTop;
        scroller.scrollTop += clientHeight(scroller);
        await frame();
        if (scroller.scrollTop <= before) break;
      }
    });
  },

  async js(step) {
    await takeTurn();
    await perform(step, async () => {
      const run = (body) => runInPage('(async (vars) => ' + body + ')(' + JSON.stringify(job.vars ?? {}) + ')');
      let error = await run('(\n' + step.target + '\n)');
      // What is no expression is the body of a function.
      if (error.startsWith('Uncaught SyntaxError')) error = await run('{\n' + step.target + '\n}');
      if (!error.startsWith('Uncaught')) return failed(error);
      return new Hindrance('script_error', quote(step.target) + ' failed: ' + error.replace(/^Uncaught( \(in promise\))? /, ''));
    });
  },
};

/** A hindrance for an error of the pool, null for none. One may only mean that the page goes elsewhere: then it ends here. */
async function failed(error) {
  if (error === '') return null;
  await calm();
  return new Hindrance('timeout', 'the browser did not do it: ' + error);
}

/** Why a step is not done where nothing else is known. */
const LATE = new Hindrance('timeout', 'it could not be done in time');
const RESTLESS = new Hindrance('timeout', 'the page did not come to rest');

/** Begins the step that is next. */
const begin = (hindrance) => {
  current = { number: memory.step + 1, verb: job.steps[memory.step].verb, hindrance };
};

/** True while steps are left, or the page has not come to rest after the last. */
const onTheWay = () => current !== null || memory.step < (job.steps?.length ?? 0);

/** Takes the steps that are left. */
async function takeSteps() {
  if (memory.step >= job.steps.length) return;
  begin(RESTLESS);
  keepDrawing();
  await calm();
  while (memory.step < job.steps.length) {
    const step = job.steps[memory.step];
    begin(LATE);
    send('more ' + job.timeout);
    try {
      await verbs[step.verb](step);
    } catch (e) {
      const wrong = !(e instanceof StepFailed); // a selector that is none, most likely
      if (wrong) current.hindrance = new Hindrance('script_error', String(e?.message ?? e));
      if (wrong || !step.optional) {
        deliverStop();
        await never();
      }
    }
    memory.step = current.number;
    remember();
    current.hindrance = RESTLESS;
    send('more ' + job.timeout);
    if (mayLoad(step)) await calm();
  }
  current = null;
}

/** Tells which step the page came to its end at, and why. */
function deliverStop() {
  if (current === null) begin(RESTLESS);
  const { number, verb, hindrance } = current;
  deliver(false, '', { outcome: hindrance.outcome, message: 'step ' + number + ': ' + verb + ': ' + hindrance.words });
}
