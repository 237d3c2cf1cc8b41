// A table of numbered pages in the author's own markup: 1 … 4 5 6 … 20, no word for "next".
import { cell, fetchPart } from "../lib/stations.js";

const SIZE = 100;
const [head, body] = [document.querySelector("thead"), document.querySelector("tbody")];
const [nav, count] = [document.querySelector("nav"), document.querySelector(".count")];

async function show(page) {
  const part = await fetchPart((page - 1) * SIZE, SIZE);
  head.replaceChildren();
  head.insertRow().append(...part.columns.map((c) => Object.assign(document.createElement("th"), { textContent: c.title })));
  body.replaceChildren();
  for (const row of part.rows) {
    const tr = body.insertRow();
    for (const c of part.columns) tr.insertCell().textContent = cell(row[c.key]);
  }
  const last = Math.ceil(part.total / SIZE);
  count.textContent = `${(page - 1) * SIZE + 1}–${Math.min(page * SIZE, part.total)} of ${part.total.toLocaleString("en")}`;
  nav.replaceChildren();
  let before = 0;
  for (const n of [...new Set([1, page - 1, page, page + 1, last])].filter((n) => n >= 1 && n <= last)) {
    if (n > before + 1) nav.append("…");
    before = n;
    const button = document.createElement("button");
    button.textContent = n;
    if (n === page) button.setAttribute("aria-current", "page");
    button.onclick = () => show(n);
    nav.append(button);
  }
}

show(1);
