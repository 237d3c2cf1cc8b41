// A page without a library whose rows come late: it makes its table itself.
import { fetchTable } from "../lib/rows.js";

function line(tag, texts) {
  const tr = document.createElement("tr");
  for (const text of texts) {
    const cell = document.createElement(tag);
    cell.textContent = text;
    tr.append(cell);
  }
  return tr;
}

fetchTable().then((table) => {
  const element = document.getElementById("rows");
  element.createTHead().append(line("th", table.columns.map((c) => c.title)));
  const body = document.createElement("tbody");
  for (const row of table.rows) body.append(line("td", table.columns.map((c) => row[c.key])));
  element.append(body);
  const count = document.querySelector(".count");
  count.textContent = table.total + " players";
});
