// The texts of all cells of all rows, in one call to the page.
export const texts = (row) => [...document.querySelectorAll(row)].map((r) => [...r.children].map((c) => c.textContent));
