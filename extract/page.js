// Runs in the page's own world before its scripts: counts the timers, frames
// and idle callbacks that the page has set up and that may still draw, and
// whether it listens for scrolling. It answers questions of the reading script
// by events whose name the page does not know; one asks for the rows that the
// library of a grid has, one for the page's clock to go forward. It opens shadow
// trees that would be closed, lets idle callbacks come in time, and changes nothing
// else.
(() => {
  'use strict';
  const secret = SECRET;
  const apply = Reflect.apply;
  const now = performance.now.bind(performance);
  const NativeEvent = CustomEvent;
  const dispatch = EventTarget.prototype.dispatchEvent;
  const addListener = EventTarget.prototype.addEventListener;
  const doc = document;
  const stringify = JSON.stringify;
  const composedPath = Event.prototype.composedPath;

  /** A callback under a second counts as one that may still draw; a question may ask for longer ones. */
  const SHORT = 1000;
  const LONG = 5000;
  /** An idle callback comes after so long, in ms, whether there was time for it or not. */
  const IDLE_LATEST = 250;
  /** A timer whose chain has set itself up so many times without a change is a clock or a poll. */
  const CHAIN = 4;

  /**
   * What is pending: its delay in ms, when it is due, when the chain was set up that
   * set it up (itself first), the page's function, Chrome's id, and how it is run.
   * @typedef {{delay: number, due: number, times: number[], f: Function, native: number, start: Function}} Entry
   * @type {Map<string, Entry>} by kind and the id that the page knows
   */
  const pending = new Map();
  let frames = false; // the page has asked for frames, or watches what they bring
  let wanted = false; // it wants one, and the reading script knows
  let other = false; // it has used what may draw and is not counted here
  let message = -Infinity; // when it last sent itself a message
  let stopped = false;
  let running = []; // the times at which the chain that runs now was set up
  let scrolls = 0; // 1: something listens for scrolling of elements; 2: of the page as a whole

  const want = () => {
    frames = true;
    if (wanted) return;
    wanted = true;
    apply(dispatch, doc, [new NativeEvent(secret + 'w')]);
  };
  const note = (kind, id, delay, f, start) => {
    if (kind === 'f' || kind === 'i') want();
    pending.set(kind + id, { delay, due: now() + delay, times: [now(), ...running].slice(0, CHAIN), f, native: id, start });
  };

  /** Runs a callback as part of its chain. */
  const run = (entry, f, self, args) => {
    const outer = running;
    running = entry ? entry.times : [];
    try {
      return apply(f, self, args);
    } finally {
      running = outer;
    }
  };

  /** Wraps a function that sets up one call. */
  const once = (owner, name, kind, delayOf) => {
    const native = owner[name];
    if (typeof native !== 'function') return;
    owner[name] = function (f, ...rest) {
      if (typeof f !== 'function') return apply(native, this, [f, ...rest]);
      if (stopped) return 0;
      let id;
      const call = function (...args) {
        const entry = pending.get(kind + id);
        pending.delete(kind + id);
        if (kind === 'f') args[0] += lead;
        return run(entry, f, this, args);
      };
      id = apply(native, this, [call, ...rest]);
      note(kind, id, delayOf(rest), f, () => apply(call, window, rest.slice(1)));
      return id;
    };
  };
  const cancels = (owner, name, kinds) => {
    const native = owner[name];
    if (typeof native !== 'function') return;
    owner[name] = function (id) {
      for (const kind of kinds) {
        const entry = pending.get(kind + id);
        pending.delete(kind + id);
        if (entry) apply(native, window, [entry.native]);
      }
      return apply(native, this, [id]);
    };
  };

  // Chrome may keep idle callbacks back for many seconds on a busy machine, and
  // rows that are drawn in them with it. Their own timeout lets them come.
  const nativeIdle = window.requestIdleCallback;
  if (typeof nativeIdle === 'function') {
    window.requestIdleCallback = function (f, options) {
      const latest = options?.timeout > 0 ? Math.min(options.timeout, IDLE_LATEST) : IDLE_LATEST;
      return apply(nativeIdle, this, [f, { ...options, timeout: latest }]);
    };
  }

  const [nativeTimeout, nativeClear] = [window.setTimeout, window.clearTimeout];
  once(window, 'setTimeout', 't', (rest) => Number(rest[0]) || 0);
  once(window, 'requestAnimationFrame', 'f', () => 0);
  once(window, 'requestIdleCallback', 'i', () => 0);
  cancels(window, 'clearTimeout', ['t', 'v']);
  cancels(window, 'clearInterval', ['t', 'v']);
  cancels(window, 'cancelAnimationFrame', ['f']);
  cancels(window, 'cancelIdleCallback', ['i']);

  const nativeInterval = window.setInterval;
  window.setInterval = function (f, delay, ...rest) {
    if (typeof f !== 'function') return apply(nativeInterval, this, [f, delay, ...rest]);
    if (stopped) return 0;
    let id;
    const call = function (...args) {
      const entry = pending.get('v' + id);
      if (entry) {
        entry.times = [now(), ...entry.times].slice(0, CHAIN);
        entry.due = now() + entry.delay;
      }
      return run(entry, f, this, args);
    };
    const begin = () => apply(nativeInterval, window, [call, delay, ...rest]);
    id = begin();
    note('v', id, Number(delay) || 0, f, () => {
      const entry = pending.get('v' + id);
      entry.native = begin(); // first, for the page may end it
      apply(call, window, rest);
    });
    return id;
  };

  // The page's clock. While a page waits for nothing but a timer, nothing but time
  // passes; so that time is left out. All clocks that a page reads go forward by it,
  // and all timers come so much earlier, in their order: what the page sees is what
  // it would have seen later.

  let lead = 0; // ms by which the page's clocks are ahead
  /** The sources of timers that time was left out for: each once, or a poll would not rest between two. */
  const skipped = new Set();
  const sourceOf = Function.prototype.toString;
  const byDue = (a, b) => a[1].due - b[1].due;
  const timersByDue = () => [...pending].filter(([name]) => name[0] === 't' || name[0] === 'v').sort(byDue);

  /** The timer that is due next, if its time may be left out. */
  const nextTimer = () => {
    const [name, entry] = timersByDue()[0] ?? [''];
    if (name[0] !== 't' || entry.delay >= SHORT || entry.due <= now()) return null;
    return skipped.has(apply(sourceOf, entry.f, [])) ? null : entry;
  };

  /** Leaves out the time until the next timer. */
  const skipTime = () => {
    const next = nextTimer();
    if (next === null) return;
    skipped.add(apply(sourceOf, next.f, []));
    try {
      if (lead === 0) setClocks();
    } catch {
      return; // the page has frozen them
    }
    const by = next.due - now();
    lead += by;
    for (const [name, entry] of timersByDue()) {
      const start = () => {
        if (pending.get(name) === entry) entry.start();
      };
      apply(nativeClear, window, [entry.native]);
      entry.due -= by;
      entry.native = apply(nativeTimeout, window, [start, Math.max(entry.due - now(), 0)]);
    }
  };

  const setClocks = () => {
    const Clock = window.Date;
    const { now: clock } = Clock;
    const dateNow = () => apply(clock, Clock, []) + Math.ceil(lead);
    Clock.now = dateNow;
    window.Date = new Proxy(Clock, {
      construct: (target, args, made) => Reflect.construct(target, args.length > 0 ? args : [dateNow()], made),
      apply: () => new Clock(dateNow()).toString(),
    });
    const since = Performance.prototype.now;
    Performance.prototype.now = function () {
      return apply(since, this, []) + lead;
    };
    const stamp = Object.getOwnPropertyDescriptor(Event.prototype, 'timeStamp');
    Object.defineProperty(Event.prototype, 'timeStamp', {
      ...stamp,
      get() {
        return apply(stamp.get, this, []) + lead;
      },
    });
  };

  // The reader cannot look into closed shadow trees.
  const attach = Element.prototype.attachShadow;
  Element.prototype.attachShadow = function (init) {
    const root = apply(attach, this, [init?.mode === 'closed' ? { ...init, mode: 'open' } : init]);
    apply(dispatch, doc, [new NativeEvent(secret + 's')]);
    return root;
  };

  /** So many kinds of events only a library listens for on one element, its root, for whoever may want them. */
  const ROOT_EVENTS = 20;
  const listeners = new WeakMap();
  /** True for an element that never hears of the page's own scrolling. Some libraries listen on their root element for everything there is. */
  const ofPart = (target) => target instanceof Element && target !== doc.body && target !== doc.documentElement;
  EventTarget.prototype.addEventListener = function (type, ...rest) {
    if (this instanceof Element) {
      listeners.set(this, (listeners.get(this) ?? 0) + 1);
      if ((type === 'transitionend' || type === 'animationend') && listeners.get(this) < ROOT_EVENTS) other = true;
    }
    if (type === 'scroll' || type === 'scrollend' || type === 'wheel') scrolls = Math.max(scrolls, ofPart(this) ? 1 : 2);
    return apply(addListener, this, [type, ...rest]);
  };
  /** Calls f when an element is given a handler as its property. */
  const onSet = (name, f) => {
    const own = Object.getOwnPropertyDescriptor(HTMLElement.prototype, name);
    if (!own?.set) return;
    Object.defineProperty(HTMLElement.prototype, name, {
      ...own,
      set(handler) {
        f();
        apply(own.set, this, [handler]);
      },
    });
  };
  for (const name of ['onscroll', 'onscrollend', 'onwheel']) {
    onSet(name, () => {
      scrolls = Math.max(scrolls, 1);
    });
  }
  const NativeObserver = window.IntersectionObserver;
  if (NativeObserver) {
    const observe = NativeObserver.prototype.observe;
    NativeObserver.prototype.observe = function (el) {
      scrolls = 2;
      want();
      return apply(observe, this, [el]);
    };
  }

  /** Calls f before a method of the page's world. */
  const before = (owner, name, f) => {
    const native = owner?.[name];
    if (typeof native !== 'function') return;
    owner[name] = function (...args) {
      f();
      return apply(native, this, args);
    };
  };
  before(window.ResizeObserver?.prototype, 'observe', want);
  const sent = () => {
    message = now();
  };
  before(MessagePort.prototype, 'postMessage', sent);
  before(window, 'postMessage', sent);
  // The browser answers these as soon as a message.
  for (const [owner, names] of [
    [window.StorageManager?.prototype, ['getDirectory', 'estimate', 'persisted']],
    [window.CookieStore?.prototype, ['get', 'getAll', 'set', 'delete']],
    [window.Permissions?.prototype, ['query']],
    [window.NavigatorUAData?.prototype, ['getHighEntropyValues']],
    [window.Geolocation?.prototype, ['getCurrentPosition']],
    [window.ServiceWorkerContainer?.prototype, ['register', 'getRegistration', 'getRegistrations']],
    [Document.prototype, ['hasStorageAccess', 'requestStorageAccess']],
    [History.prototype, ['back', 'forward', 'go']],
  ]) {
    for (const name of names) before(owner, name, sent);
  }

  // What ends at a time of its own, and is seen by nobody but the page.
  const uses = () => {
    other = true;
  };
  onSet('onanimationend', uses);
  onSet('ontransitionend', uses);
  before(Document.prototype, 'startViewTransition', () => {
    uses();
    want(); // it begins with a frame
  });
  for (const [owner, names] of [
    [window.IDBFactory?.prototype, ['open']],
    [window.CacheStorage?.prototype, ['open', 'match']],
    [window.SubtleCrypto?.prototype, ['digest', 'encrypt', 'decrypt', 'deriveBits', 'deriveKey', 'sign', 'verify', 'generateKey', 'importKey']],
    [window.WebAssembly, ['compile', 'instantiate', 'compileStreaming', 'instantiateStreaming']],
    [window.Scheduler?.prototype, ['postTask', 'yield']],
    [window.LockManager?.prototype, ['request']],
    [window.FontFaceSet?.prototype, ['load']],
    [window.FontFace?.prototype, ['load']],
    [window.Blob?.prototype, ['text', 'arrayBuffer', 'bytes', 'stream']],
    [window.HTMLCanvasElement?.prototype, ['toBlob']],
    [window.OffscreenCanvas?.prototype, ['convertToBlob']],
    [window.FileReader?.prototype, ['readAsArrayBuffer', 'readAsDataURL', 'readAsText', 'readAsBinaryString']],
    [window.HTMLImageElement?.prototype, ['decode']],
    [window.AbortSignal, ['timeout']],
    [window.Atomics, ['waitAsync']],
    [window, ['createImageBitmap']],
    [Element.prototype, ['animate']],
  ]) {
    for (const name of names) before(owner, name, uses);
  }
  for (const name of ['BroadcastChannel', 'RTCPeerConnection', 'SharedWorker', 'CompressionStream', 'DecompressionStream']) {
    const Native = window[name];
    if (typeof Native !== 'function') continue;
    window[name] = new Proxy(Native, {
      construct(target, args, made) {
        uses();
        return Reflect.construct(target, args, made);
      },
    });
  }

  /** Pending callbacks of some kinds and of at most delay ms whose chain is not older than the last change. */
  const count = (kinds, delay, since) => {
    let n = 0;
    for (const [name, entry] of pending) {
      const chained = entry.times.length === CHAIN && entry.times[CHAIN - 1] > since;
      if (kinds.includes(name[0]) && entry.delay <= delay && !chained) n++;
    }
    return n;
  };
  /** How libraries that a page shows to its scripts give the rows of a grid, all of them, as they are sorted and filtered. */
  const libraries = [
    (el) => window.Tabulator?.findTable?.(el)?.[0]?.getData?.('active'),
    (el) => {
      const rows = [];
      const api = window.agGrid?.getGridApi?.(el);
      api?.forEachNodeAfterFilterAndSort?.((node) => rows.push(node.data));
      return api ? rows : undefined;
    },
    (el) => {
      const tables = window.DataTable ?? window.jQuery?.fn?.dataTable;
      return tables?.isDataTable?.(el) ? new tables.Api(el).rows({ search: 'applied', order: 'applied' }).data().toArray() : undefined;
    },
  ];
  /** So many elements around a grid may be the one that its library knows; so many rows and characters are given at most. */
  const AROUND = 6;
  const MAX_ROWS = 100_000;
  const MAX_TEXT = 8_000_000;
  const rowsOf = (el) => {
    for (let i = 0; i < AROUND && el; i++, el = el.parentElement) {
      for (const library of libraries) {
        try {
          const rows = library(el);
          const text = rows?.length <= MAX_ROWS ? stringify(rows) : '';
          if (text) return text.length <= MAX_TEXT ? text : '';
        } catch {
          // it is another version, or none
        }
      }
    }
    return '';
  };
  apply(addListener, doc, [secret + 'd', () => {
    wanted = false;
  }, true]);
  const ends = { t: window.clearTimeout, v: window.clearInterval, f: window.cancelAnimationFrame, i: window.cancelIdleCallback };
  apply(addListener, doc, [secret + 'x', () => {
    stopped = true;
    for (const name of [...pending.keys()]) apply(ends[name[0]], window, [Number(name.slice(1))]); // deletes it, too
  }, true]);
  apply(addListener, doc, [secret + 'n', skipTime, true]);
  apply(addListener, doc, [secret + 'g', (question) => {
    apply(dispatch, doc, [new NativeEvent(secret + 'h', { detail: rowsOf(apply(composedPath, question, [])[0]) })]);
  }, true]);
  apply(addListener, doc, [secret + 'q', (question) => {
    const since = Number(question.detail);
    const heard = window.onscroll || doc.onscroll ? 2 : scrolls;
    const answer = [count('tvfi', SHORT - 1, since), count('tvfi', LONG, since), heard, count('fi', LONG, since), frames ? 1 : 0, other ? 1 : 0, Math.round(Math.min(now() - message, 1e6)), nextTimer() === null ? 0 : 1].join(' ');
    apply(dispatch, doc, [new NativeEvent(secret + 'a', { detail: answer })]);
  }]);
})();
