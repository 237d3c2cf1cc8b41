// A virtualised grid: however long the table, 30 rows are in the document.
import { el, show } from "./dom.js";

const rowHeight = 24; // px, as in style.css
const kept = 30; // rows in the document
const windowSize = 100; // rows of one load

/**
 * The grid of first.total rows. Rows that first does not hold are loaded in
 * windows of 100 by load(offset) when they come into view.
 */
export function virtualGrid(first, load) {
  const { columns, total } = first;
  const rows = new Array(total);
  first.rows.forEach((row, i) => { rows[i] = row; });
  const asked = new Set();

  const lines = el("div", { class: "grid-lines", role: "rowgroup" });
  lines.style.height = total * rowHeight + "px";
  const scroller = el("div", { class: "grid-scroller", tabindex: "0" }, lines);
  const head = el("div", { class: "grid-head", role: "rowgroup" },
    el("div", { role: "row", class: "grid-row", "aria-rowindex": 1 },
      ...columns.map((c, i) => el("div", { role: "columnheader", "aria-colindex": i + 1 }, c.title))));

  const line = (i) => {
    const attributes = { role: "row", class: "grid-row", "aria-rowindex": i + 2 };
    if (!rows[i]) attributes["aria-busy"] = "true";
    const div = el("div", attributes,
      ...columns.map((c, j) => el("div", { role: "gridcell", "aria-colindex": j + 1 }, rows[i] ? show(rows[i][c.key], c.format) : "")));
    div.style.transform = `translateY(${i * rowHeight}px)`;
    return div;
  };

  const ask = async (from) => {
    if (asked.has(from)) return;
    asked.add(from);
    const part = await load(from);
    part.rows.forEach((row, i) => { rows[from + i] = row; });
    draw();
  };

  const draw = () => {
    const visible = Math.floor(scroller.scrollTop / rowHeight);
    const start = Math.max(0, Math.min(visible - 5, total - kept));
    const end = Math.min(start + kept, total);
    const drawn = [];
    for (let i = start; i < end; i++) {
      if (!rows[i]) ask(i - (i % windowSize));
      drawn.push(line(i));
    }
    lines.replaceChildren(...drawn);
  };

  scroller.addEventListener("scroll", draw);
  draw();
  return el("div", { class: "grid", role: "grid", "aria-label": first.title, "aria-rowcount": total + 1, "aria-colcount": columns.length }, head, scroller);
}
