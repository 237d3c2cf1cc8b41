// The texts of all cells of all rows, in one call to the page; rows of tables and
// of grids.
export const texts = (row) => [...document.querySelectorAll(row)].map((r) =>
  [...(r.cells ?? r.querySelectorAll("[role=gridcell]"))].map((c) => c.textContent));
