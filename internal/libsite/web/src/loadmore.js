// A table that grows by a button, which goes with the last rows.
import { cell, fetchPart } from "../lib/stations.js";

const [head, body] = [document.querySelector("thead"), document.querySelector("tbody")];
const [more, count] = [document.querySelector("button"), document.querySelector(".count")];
let next = 0;

async function load() {
  more.disabled = true;
  const part = await fetchPart(next, 100);
  next += 100;
  if (head.rows.length === 0) head.insertRow().append(...part.columns.map((c) => Object.assign(document.createElement("th"), { textContent: c.title })));
  for (const row of part.rows) {
    const tr = body.insertRow();
    for (const c of part.columns) tr.insertCell().textContent = cell(row[c.key]);
  }
  const shown = body.rows.length.toLocaleString("en");
  count.textContent = `Showing ${shown} of ${part.total.toLocaleString("en")} stations`;
  more.disabled = false;
  if (next >= part.total) more.remove();
}

more.onclick = load;
load();
