// AG Grid Community: 2,000 rows, of which the viewport's and a few more are in the document.
import { AllCommunityModule, createGrid, ModuleRegistry } from "ag-grid-community";

ModuleRegistry.registerModules([AllCommunityModule]);

const api = createGrid(document.getElementById("years"), {
  columnDefs: [
    { field: "year", headerName: "Year", flex: 1 },
    { field: "easter", headerName: "Easter", flex: 1 },
    { field: "orthodox", headerName: "Orthodox Easter", flex: 1 },
    { field: "january_1", headerName: "1 January", flex: 1 },
    { field: "leap", headerName: "Leap", flex: 1, cellDataType: "text" },
    { field: "golden", headerName: "Golden number", flex: 1 },
  ],
  getRowId: ({ data }) => String(data.year),
  loading: true,
});

fetch("/api/aggrid")
  .then((r) => r.json())
  .then((table) => {
    api.setGridOption("rowData", table.rows);
    api.setGridOption("loading", false);
  });
