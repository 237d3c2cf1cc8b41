// DataTables with its own paging, as sites have it: 25 rows of 200 at a time are
// in the document.
import DataTable from "datatables.net";
import "datatables.net-dt/css/dataTables.dataTables.css";
import { fetchTable } from "../lib/rows.js";

fetchTable().then((table) => {
  new DataTable("#rows", {
    data: table.rows,
    columns: table.columns.map((c) => ({ data: c.key, title: c.title })),
    pageLength: 25,
  });
});
