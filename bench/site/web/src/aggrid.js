// AG Grid Community, as sites have it: a window of 600 pixels on 200 rows, of
// which those in view and a few more are in the document.
import { AllCommunityModule, createGrid, ModuleRegistry } from "ag-grid-community";
import { fetchTable } from "../lib/rows.js";

ModuleRegistry.registerModules([AllCommunityModule]);

fetchTable().then((table) => {
  createGrid(document.getElementById("rows"), {
    columnDefs: table.columns.map((c) => ({ field: c.key, headerName: c.title, flex: 1 })),
    rowData: table.rows,
  });
});
