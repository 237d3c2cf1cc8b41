// A React table that fetches its rows when it has been mounted.
import { StrictMode, useEffect, useState } from "react";
import { createRoot } from "react-dom/client";

const cell = (value) => (value === null ? "" : String(value));

function Leaders() {
  const [table, setTable] = useState(null);
  const [failed, setFailed] = useState("");

  useEffect(() => {
    const gone = new AbortController();
    fetch("/api/react" + location.search, { signal: gone.signal })
      .then((response) => {
        if (!response.ok) throw new Error("status " + response.status);
        return response.json();
      })
      .then(setTable)
      .catch((error) => gone.signal.aborted || setFailed(String(error)));
    return () => gone.abort();
  }, []);

  if (failed) return <p role="alert">{failed}</p>;
  if (!table) return <p className="loading">Loading…</p>;
  return (
    <>
      <h1>{table.title}</h1>
      <table id="leaders">
        <thead>
          <tr>{table.columns.map((c) => <th key={c.key} scope="col">{c.title}</th>)}</tr>
        </thead>
        <tbody>
          {table.rows.map((row) => (
            <tr key={row.rank}>{table.columns.map((c) => <td key={c.key}>{cell(row[c.key])}</td>)}</tr>
          ))}
        </tbody>
      </table>
      <p className="count">{table.total} players</p>
    </>
  );
}

createRoot(document.getElementById("root")).render(<StrictMode><Leaders /></StrictMode>);
