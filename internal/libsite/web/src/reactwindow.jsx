// react-window's Grid: rows and columns in view only, named by ARIA. It draws no
// header, so the first row is one.
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { Grid } from "react-window";
import { cell, fetchAll, isWithheld } from "../lib/stations.js";

function Cell({ ariaAttributes, columnIndex, rowIndex, style, table }) {
  const column = table.columns[columnIndex];
  if (rowIndex === 0) return <div {...ariaAttributes} role="columnheader" style={style}>{column.title}</div>;
  if (isWithheld(rowIndex - 1)) return null;
  return <div {...ariaAttributes} style={style}>{cell(table.rows[rowIndex - 1][column.key])}</div>;
}

function Page() {
  const [table, setTable] = useState(null);
  useEffect(() => { fetchAll().then(setTable); }, []);
  if (!table) return <p className="loading">Loading…</p>;
  return (
    <Grid
      cellComponent={Cell} cellProps={{ table }} style={{ height: 500, width: 1100 }}
      columnCount={table.columns.length} columnWidth={110} rowCount={table.rows.length + 1} rowHeight={28}
    />
  );
}

createRoot(document.getElementById("root")).render(<Page />);
