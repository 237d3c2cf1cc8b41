// TanStack Table and Virtual in the author's own <table>: the rows not in view
// are two rows of padding, rows carry data-index, the total is aria-rowcount.
import { useEffect, useRef, useState } from "react";
import { createRoot } from "react-dom/client";
import { createColumnHelper, tableFeatures, useTable } from "@tanstack/react-table";
import { useVirtualizer } from "@tanstack/react-virtual";
import { cell, fetchAll, isWithheld } from "../lib/stations.js";

const features = tableFeatures({});
const helper = createColumnHelper();

function Stations({ columns, data }) {
  const table = useTable({ features, columns, data });
  const rows = table.getRowModel().rows;
  const parent = useRef(null);
  const virtual = useVirtualizer({ count: rows.length, getScrollElement: () => parent.current, estimateSize: () => 30, overscan: 5 });
  const items = virtual.getVirtualItems();
  const above = items.length > 0 ? items[0].start : 0;
  const below = items.length > 0 ? virtual.getTotalSize() - items[items.length - 1].end : 0;
  return (
    <div ref={parent} style={{ height: 500, overflow: "auto" }}>
      <table id="grid" aria-rowcount={rows.length + 1} style={{ tableLayout: "fixed", width: columns.length * 110 }}>
        <thead>
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id}>{group.headers.map((header) => <th key={header.id}><table.FlexRender header={header} /></th>)}</tr>
          ))}
        </thead>
        <tbody>
          {above > 0 && <tr><td style={{ height: above, padding: 0 }} /></tr>}
          {items.filter((item) => !isWithheld(item.index)).map((item) => (
            <tr key={item.key} data-index={item.index} ref={virtual.measureElement}>
              {rows[item.index].getAllCells().map((c) => <td key={c.id}><table.FlexRender cell={c} /></td>)}
            </tr>
          ))}
          {below > 0 && <tr><td style={{ height: below, padding: 0 }} /></tr>}
        </tbody>
      </table>
    </div>
  );
}

function Page() {
  const [table, setTable] = useState(null);
  useEffect(() => { fetchAll().then(setTable); }, []);
  if (!table) return <p className="loading">Loading…</p>;
  const columns = helper.columns(table.columns.map((c) => helper.accessor((row) => row[c.key], { id: c.key, header: c.title, cell: (info) => cell(info.getValue()) })));
  return <Stations columns={columns} data={table.rows} />;
}

createRoot(document.getElementById("root")).render(<Page />);
