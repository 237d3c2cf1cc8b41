// A React table that fetches its rows when it has been mounted.
import { useEffect, useState } from "react";
import { createRoot } from "react-dom/client";
import { fetchTable } from "../lib/rows.js";

function Rows() {
  const [table, setTable] = useState(null);
  useEffect(() => {
    fetchTable().then(setTable);
  }, []);
  if (!table) return <p className="loading">Loading…</p>;
  return (
    <>
      <table id="rows">
        <thead>
          <tr>{table.columns.map((c) => <th key={c.key} scope="col">{c.title}</th>)}</tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr key={row.id}>{table.columns.map((c) => <td key={c.key}>{row[c.key]}</td>)}</tr>
          ))}
        </tbody>
      </table>
      <p className="count">{table.total} players</p>
    </>
  );
}

createRoot(document.getElementById("root")).render(<Rows />);
