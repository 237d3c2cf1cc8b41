// Tables: plain ones, paged and sorted ones, and standings under headings.
import { el, show } from "./dom.js";

/** A <table> of an API's answer: header of one or two rows, merged body cells. */
export function drawTable({ title, columns, rows }) {
  const body = el("tbody");
  rows.forEach((row, i) => body.append(drawRow(columns, rows, row, i)));
  return el("table", { class: "figures" }, el("caption", {}, title), drawHead(columns), body);
}

function drawHead(columns) {
  if (!columns.some((c) => c.group)) {
    return el("thead", {}, el("tr", {}, ...columns.map((c) => el("th", { scope: "col" }, c.title))));
  }
  const upper = el("tr");
  const lower = el("tr");
  columns.forEach((column, i) => {
    if (!column.group) {
      upper.append(el("th", { scope: "col", rowspan: 2 }, column.title));
      return;
    }
    if (i === 0 || columns[i - 1].group !== column.group) {
      const width = columns.filter((c) => c.group === column.group).length;
      upper.append(el("th", { scope: "colgroup", colspan: width }, column.group));
    }
    lower.append(el("th", { scope: "col" }, column.title));
  });
  return el("thead", {}, upper, lower);
}

function drawRow(columns, rows, row, i) {
  const tr = el("tr");
  for (const column of columns) {
    const value = row[column.key];
    const cell = el("td", typeof value === "number" ? { class: "number" } : {}, show(value, column.format));
    if (column.merge) {
      if (i > 0 && rows[i - 1][column.key] === value) continue;
      let height = 1;
      while (i + height < rows.length && rows[i + height][column.key] === value) height++;
      if (height > 1) cell.setAttribute("rowspan", height);
    }
    tr.append(cell);
  }
  return tr;
}

/** A table of which only one part is in the document, sorted by a click on a header. */
export function pagedTable(table, size) {
  const { columns, total } = table;
  let rows = [...table.rows];
  let at = 0;
  const drawn = drawTable({ ...table, rows: [] });
  const info = el("p", { class: "count", "aria-live": "polite" });
  const previous = el("button", { type: "button", class: "previous" }, "Previous");
  const next = el("button", { type: "button", class: "next" }, "Next");

  const draw = () => {
    const part = rows.slice(at, at + size);
    drawn.tBodies[0].replaceChildren(...drawTable({ ...table, rows: part }).tBodies[0].rows);
    info.textContent = part.length ? `Showing ${at + 1} to ${at + part.length} of ${total} entries` : "Showing 0 to 0 of 0 entries";
    previous.disabled = at === 0;
    next.disabled = at + size >= rows.length;
  };
  previous.addEventListener("click", () => { at = Math.max(0, at - size); draw(); });
  next.addEventListener("click", () => { at += size; draw(); });
  [...drawn.tHead.rows[0].cells].forEach((th, i) => {
    const key = columns[i].key;
    th.addEventListener("click", () => {
      const down = th.getAttribute("aria-sort") === "ascending";
      for (const other of drawn.tHead.rows[0].cells) other.removeAttribute("aria-sort");
      th.setAttribute("aria-sort", down ? "descending" : "ascending");
      rows = [...table.rows].sort((a, b) => compare(a[key], b[key]) * (down ? -1 : 1));
      at = 0;
      draw();
    });
  });
  draw();
  return [drawn, info, el("p", { class: "pager" }, previous, " ", next)];
}

function compare(a, b) {
  if (a === null || b === null) return (a === null) - (b === null);
  return typeof a === "number" ? a - b : String(a).localeCompare(String(b), "en");
}

/** One table a conference under its heading, with a section row above each division. */
export function standingsTables({ columns, rows }) {
  const shown = columns.filter((c) => c.key !== "conference" && c.key !== "division");
  const parts = [];
  for (const conference of new Set(rows.map((r) => r.conference))) {
    const body = el("tbody");
    const teams = rows.filter((r) => r.conference === conference);
    teams.forEach((team, i) => {
      if (i === 0 || teams[i - 1].division !== team.division) {
        body.append(el("tr", { class: "division" }, el("th", { colspan: shown.length, scope: "rowgroup" }, team.division)));
      }
      body.append(drawRow(shown, teams, team, i));
    });
    parts.push(el("section", {}, el("h2", { class: "conference" }, conference), el("table", { class: "figures standings" }, drawHead(shown), body)));
  }
  return parts;
}
