// Columns that are looked for beside the texts of a row's cells: by css inside the
// row or in the whole page, by attribute, or upwards in the document.

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
 * @param {{name: string, css: string, attr: string, above: string, page: boolean}[]} fields
 */
function readFields(rows, fields) {
  if (fields.length === 0) return;
  const whole = new Map();
  const above = new Map();
  for (const field of fields) {
    if (field.page) whole.set(field.name, fieldText(findOne(document, field.css), field));
    if (field.above) above.set(field.name, { all: find(document, field.above), at: 0 });
  }
  for (const row of rows) {
    row.fields = {};
    for (const field of fields) {
      if (field.page) row.fields[field.name] = whole.get(field.name);
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
