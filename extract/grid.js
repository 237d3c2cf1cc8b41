// From a table as formed to a grid as delivered: header rows repeated in the
// body, section labels, placeholders and skipped rows get their role, tables
// that are one are put together.

const PLACEHOLDER = '.dataTables_empty,.dt-empty,.no-records-found,.dxbs-empty-data-row';
const PLACEHOLDER_TEXT = /^(no|keine|aucune?|nessun|ning\u00fan|geen|ingen)\b.{0,80}\b(data|records?|results?|rows?|entries|items|matches|matching|found|available|daten|eintr\u00e4ge|ergebnisse|donn\u00e9es|r\u00e9sultats?|dati|datos|gegevens)\b/i;
const LOADING_WORD = /^(loading|please wait|wird geladen|l\u00e4dt|chargement|cargando|caricamento|laden)/i;
const LOADING_TEXT = new RegExp(LOADING_WORD.source + '\\b.{0,20}$', 'i');

/** The texts of cells, null where there is none. */
const textsOf = (cells) => Array.from(cells, (slot) => (slot ? slot.text : null));

/**
 * Gives every row its role: "" for data, "header" for a header row repeated in
 * the body, "section", "placeholder", "skipped".
 * @param {Formed} formed
 * @param {{skip: string, above: string[]}} wish of the recipe
 */
function giveRoles(formed, wish) {
  const heads = formed.head.map((row) => textsOf(row.cells));
  for (const row of formed.rows) row.role ||= roleOf(row, formed, heads, wish);
}

function roleOf(row, formed, heads, wish) {
  if (wish.skip && matches(row.el, wish.skip)) return 'skipped';
  if (wish.above.some((css) => matches(row.el, css))) return 'section';
  if (matches(row.el, '.tabulator-group,.ag-full-width-row')) return 'section';
  const first = row.cells.find((slot) => slot);
  if (first && (matches(first.el, PLACEHOLDER) || matches(row.el, PLACEHOLDER))) return 'placeholder';
  if (first && row.cells.every((slot) => !slot || slot === first)) {
    if (LOADING_TEXT.test(first.text)) return 'placeholder';
    if (formed.rows.length === 1 && PLACEHOLDER_TEXT.test(first.text) && row.cells.length > 1) return 'placeholder';
  }
  if (row.cells.length > 1 && acrossAll(row.cells)) return 'section';
  const texts = textsOf(row.cells);
  return heads.some((head) => repeats(row, texts, head)) ? 'header' : '';
}

/** True when a body row is a header row again, cell for cell. One equal word alone is no proof unless it is a <th>. */
function repeats(row, texts, head) {
  if (head.length !== texts.length || !texts.every((text, i) => (text ?? '') === (head[i] ?? ''))) return false;
  const words = texts.filter((text) => text);
  return words.length > 1 || (words.length === 1 && row.cells.every((slot) => !slot || slot.th));
}

/** Puts two parts of one width together, the header's and the body's. */
function stack(head, body) {
  return {
    ...body,
    caption: head.caption || body.caption,
    head: head.head.map((row) => ({ ...row, cells: row.cells.slice(0, Math.max(body.width, 1)) })),
    foot: body.foot,
    parts: [head.el, ...(body.parts ?? [body.el])],
  };
}

/** True when a is the header of b: no rows of its own, as wide (but for a scroll bar's column), b without another header and not in one of its cells. */
function heads(a, b) {
  if (a.rows.length > 0 || a.head.length === 0 || contains(a.el, b.el)) return false;
  const last = a.head[a.head.length - 1].cells;
  const same = a.width === b.width || (a.width === b.width + 1 && !last[last.length - 1]?.text);
  if (!same) return false;
  const own = b.head.map((row) => textsOf(row.cells).join('|')).join('\n');
  const given = a.head.map((row) => textsOf(row.cells.slice(0, b.width)).join('|')).join('\n');
  return b.head.length === 0 || own === given || /^[|\s]*$/.test(own);
}

/** True when nothing but these elements is a table below their nearest common ancestor. */
function alone(els, all) {
  let around = parentElement(els[0]);
  while (around !== null && !els.every((el) => contains(around, el))) around = parentElement(around);
  if (around === null || localName(around) === 'body') return false;
  return all.every((el) => els.includes(el) || !contains(around, el) || els.some((e) => contains(e, el)));
}

/**
 * Joins header tables to their body tables, as DataTables and others draw them
 * when a table scrolls; a foot table behind goes to the foot.
 */
function joinStacked(formed) {
  const all = formed.map((f) => f.el);
  const out = [];
  for (let i = 0; i < formed.length; i++) {
    const next = formed[i + 1];
    if (next && formed[i].kind === 'html' && next.kind === 'html' && heads(formed[i], next)) {
      const scroller = closest(formed[i].el, '.dt-scroll,.dataTables_scroll');
      const foot = formed[i + 2];
      const three = scroller !== null && foot !== undefined && contains(scroller, foot.el) && foot.rows.length === 0;
      if ((scroller !== null && contains(scroller, next.el)) || alone([formed[i].el, next.el], all)) {
        const one = stack(formed[i], next);
        if (three) one.foot = foot.foot;
        out.push(one);
        i += three ? 2 : 1;
        continue;
      }
    }
    out.push(formed[i]);
  }
  return out;
}

/** Joins tables that stand side by side with as many rows each (a frozen column beside a scrolled body). */
function joinBeside(formed) {
  const out = [];
  for (const f of formed) {
    const left = out[out.length - 1];
    if (left && beside(left, f)) out[out.length - 1] = glue(left, f);
    else out.push(f);
  }
  return out;
}

function beside(a, b) {
  if (a.kind !== 'html' || b.kind !== 'html') return false;
  const lines = (f) => f.head.length + f.rows.length;
  if (a.rows.length !== b.rows.length && lines(a) !== lines(b)) return false;
  const left = rectOf((a.parts ?? [a.el]).at(-1));
  const right = rectOf(b.el);
  if (left.height === 0 && right.height === 0) {
    return textsOf(a.head[0]?.cells ?? []).join('|') !== textsOf(b.head[0]?.cells ?? []).join('|');
  }
  return Math.abs(left.bottom - right.bottom) < 8 && Math.abs(left.left - right.left) > 1;
}

/** Glues b to the right of a, line by line from the last one up, so that a header on one side only does no harm. */
function glue(a, b) {
  const width = a.width + b.width;
  const pair = (left, right) => ({
    ...(left ?? right),
    role: left?.role || right?.role || '',
    cells: [...pad(left?.cells, a.width), ...pad(right?.cells, b.width)],
  });
  const level = a.rows.length === b.rows.length;
  const lines = (f) => (level ? f.rows : [...f.head, ...f.rows]);
  const most = Math.max(a.head.length, b.head.length);
  const joined = lines(a).map((row, i) => pair(row, lines(b)[i]));
  const fromEnd = (list, i) => list[list.length - most + i];
  const head = level
    ? Array.from({ length: most }, (_, i) => ({ el: a.el, ...pair(fromEnd(a.head, i), fromEnd(b.head, i)) }))
    : joined.slice(0, most);
  return {
    ...a, head, width,
    rows: level ? joined : joined.slice(most),
    foot: a.foot.map((row, i) => pair(row, b.foot[i])),
    caption: a.caption || b.caption,
    parts: [...(a.parts ?? [a.el]), b.el],
  };
}

const pad = (cells, width) => Array.from({ length: width }, (_, i) => cells?.[i] ?? null);
