// MUI's DataGrid, community: pages of 100 rows from the server, and of a page
// the rows and columns in view.
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { DataGrid } from "@mui/x-data-grid";
import { cell, withhold } from "../lib/stations.js";

const SIZE = 100;

function Stations() {
  const [page, setPage] = useState(0);
  const [part, setPart] = useState(null);

  useEffect(() => {
    let gone = false;
    setPart((last) => last && { ...last, rows: [], loading: true });
    fetch(`/api/part?from=${page * SIZE}&size=${SIZE}&${withhold ? "withhold=1" : "wide=1"}`)
      .then((r) => r.json())
      .then((answer) => gone || setPart(answer));
    return () => { gone = true; };
  }, [page]);

  if (!part) return <p className="loading">Loading…</p>;
  return (
    <div style={{ height: 600, width: 1100 }}>
      <DataGrid
        columns={part.columns.map((c) => ({ field: c.key, headerName: c.title, width: 120, sortable: false, valueFormatter: cell }))}
        rows={part.rows.map((row, i) => ({ ...row, id: page * SIZE + i }))}
        rowCount={part.total}
        loading={Boolean(part.loading)}
        paginationMode="server"
        pageSizeOptions={[SIZE]}
        paginationModel={{ page, pageSize: SIZE }}
        onPaginationModelChange={(model) => setPage(model.page)}
      />
    </div>
  );
}

createRoot(document.getElementById("root")).render(<Stations />);
