// Tabulator: rows are drawn as they are scrolled to, all columns at once. It
// states no number of rows, so the page does.
import { TabulatorFull as Tabulator } from "tabulator-tables";
import "tabulator-tables/dist/css/tabulator.min.css";
import { cell, fetchAll, isWithheld } from "../lib/stations.js";

fetchAll().then(({ total, columns, rows }) => {
  new Tabulator("#grid", {
    height: 500,
    data: rows.map((row, index) => ({ ...row, index })),
    columns: columns.map((c, i) => ({
      field: c.key, title: c.title, width: 110, frozen: i === 0, formatter: (drawn) => document.createTextNode(cell(drawn.getValue())),
    })),
    rowFormatter: (row) => row.getElement().classList.toggle("withheld", isWithheld(row.getData().index)),
  });
  document.querySelector(".count").textContent = total.toLocaleString("en") + " stations";
});
