// Handsontable: real tables, the fixed parts drawn twice in clones above and beside.
import Handsontable from "handsontable";
import "handsontable/styles/handsontable.min.css";
import "handsontable/styles/ht-theme-main.min.css";
import { cell, fetchAll, isWithheld } from "../lib/stations.js";

fetchAll().then(({ columns, rows }) => {
  new Handsontable(document.getElementById("grid"), {
    data: rows.map((row) => columns.map((c) => cell(row[c.key]))),
    colHeaders: columns.map((c) => c.title),
    rowHeaders: false,
    fixedColumnsStart: 1,
    width: 1100,
    height: 500,
    colWidths: 110,
    themeName: "ht-theme-main",
    cells: (row) => (isWithheld(row) ? { className: "withheld" } : {}),
    licenseKey: "non-commercial-and-evaluation",
  });
});
