// The figures of the pages that draw stations, and what they leave out on request.

/** With ?withhold=1 a page leaves one row out, while all that it states still counts it. */
export const withhold = new URLSearchParams(location.search).has("withhold");
const WITHHELD = 777;

/** True for the number of a row that must not be shown. */
export const isWithheld = (index) => withhold && index === WITHHELD;

/** A cell as these pages show it. */
export const cell = (value) => (value === null || value === undefined ? "" : String(value));

/** The whole table: {total, columns: [{key, title}], rows: [{...}]}; where a row is left out, with its first columns only. */
export async function fetchAll() {
  return fetchJSON(withhold ? "/api/part?from=0&size=2000" : "/api/stations");
}

const fetchJSON = async (url) => (await fetch(url)).json();

/** A part of the narrow table, its row left out by the server on request. */
export async function fetchPart(from, size) {
  return fetchJSON(`/api/part?from=${from}&size=${size}${withhold ? "&withhold=1" : ""}`);
}
