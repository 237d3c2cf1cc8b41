// Columns that are looked for beside the texts of a row's cells: by css inside the
// row, in the whole page or in its comments, by attribute, or upwards in the
// document.

/** True for a field that has one value for all rows. */
const ofPage = (field) => Boolean(field.page || field.comments);

/** The text or attribute of an element; null when there is no element. */
function fieldText(el, field) {
  if (!el) return null;
  if (!field.attr) return textOf(el, askHidden);
  const value = attribute(el, field.attr);
  return value === null && field.attr === 'value' && 'value' in el ? String(el.value) : value;
}

/**
 * Reads the fields of rows, in the order of the document.
 * @param {Row[]} rows
 * @param {{name: string, css: string, attr: string, above: string, page: boolean, comments: boolean}[]} fields
 */
function readFields(rows, fields) {
  if (fields.length === 0) return;
  const whole = new Map();
  const above = new Map();
  for (const field of fields) {
    if (ofPage(field)) whole.set(field.name, fieldText(findAll(field, field.css)[0], field));
    if (field.above) above.set(field.name, { all: headings(rows, field.above), at: 0 });
  }
  for (const row of rows) {
    row.fields = {};
    for (const field of fields) {
      if (ofPage(field)) row.fields[field.name] = whole.get(field.name);
      else if (field.above) row.fields[field.name] = fieldText(nearestAbove(row.el, above.get(field.name)), field);
      else row.fields[field.name] = fieldText(field.css ? inRow(row, field.css) : row.el, field);
    }
  }
}

/** Reads the attributes that the recipe wants of the cells of rows: the cell's own, else that of the first element in it that has one. */
function readAttributes(rows, names) {
  for (const name of names ?? []) {
    const css = '[' + CSS.escape(name) + ']';
    for (const row of rows) {
      for (const slot of row.cells) {
        if (!slot) continue;
        const el = matches(slot.el, css) ? slot.el : findOne(slot.el, css);
        slot.attrs ??= {};
        slot.attrs[name] = el === null ? null : attribute(el, name);
      }
    }
  }
}

/** Texts of this document for rows that are read elsewhere: out of JSON, or in another document of the page. */
const valuesNow = () => (job.values ?? []).map((value) => ({
  t: value.table, c: value.column, v: fieldText(findAll(value, value.css)[0], value),
}));

/** What may stand above rows; of rows in a comment that is what the comment holds, and the page around it. */
function headings(rows, css) {
  const all = find(document, css);
  if (rows.length === 0 || !inComment(rows[0].el)) return all;
  return [...all, ...findAll({ comments: true }, css)].sort((a, b) => (precedes(a, b) ? -1 : 1));
}

/** The first match inside a row; in a row of several parts the parts are looked through in order. */
function inRow(row, css) {
  const found = findOne(row.el, css);
  if (found !== null) return found;
  for (const slot of row.cells) {
    if (!slot || contains(row.el, slot.el)) continue;
    const other = matches(slot.el, css) ? slot.el : findOne(slot.el, css);
    if (other !== null) return other;
  }
  return null;
}

/** The last of the elements that stands before or around a row. Rows mostly come in order, so the search goes on from the last answer. */
function nearestAbove(row, list) {
  while (list.at > 0 && !precedes(list.all[list.at - 1], row)) list.at--;
  while (list.at < list.all.length && precedes(list.all[list.at], row)) list.at++;
  return list.at > 0 ? list.all[list.at - 1] : null;
}
