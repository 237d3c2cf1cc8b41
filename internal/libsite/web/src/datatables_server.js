// DataTables whose server pages: the page never has all rows.
import DataTable from "datatables.net";
import { fetchPart, withhold } from "../lib/stations.js";

fetchPart(0, 0).then(({ columns }) => {
  new DataTable("#grid", {
    serverSide: true,
    ajax: "/api/datatables_server" + (withhold ? "?withhold=1" : ""),
    columns: columns.map((c) => ({ data: c.key, title: c.title })),
    ordering: false,
    pageLength: 50,
  });
});
