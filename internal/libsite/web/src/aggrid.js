// AG Grid Community: 2,000 rows and 40 columns, of which the viewport's and a
// few more are in the document; two columns are pinned.
import { AllCommunityModule, createGrid, ModuleRegistry } from "ag-grid-community";
import { cell, fetchAll, isWithheld } from "../lib/stations.js";

ModuleRegistry.registerModules([AllCommunityModule]);

const api = createGrid(document.getElementById("grid"), {
  columnDefs: [],
  defaultColDef: { width: 120, cellDataType: "text", valueFormatter: ({ value }) => cell(value) },
  rowClassRules: { withheld: ({ node }) => isWithheld(node.rowIndex) },
  loading: true,
});

fetchAll().then((table) => {
  api.setGridOption("columnDefs", table.columns.map((c, i) => ({
    field: c.key, headerName: c.title, pinned: i === 0 ? "left" : i === table.columns.length - 1 ? "right" : undefined,
  })));
  api.setGridOption("rowData", table.rows);
  api.setGridOption("loading", false);
});
