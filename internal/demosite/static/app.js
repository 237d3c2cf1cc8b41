// Fills the page that the server named in <body data-page>.
import { el } from "./dom.js";
import { drawTable, pagedTable, standingsTables } from "./table.js";
import { virtualGrid } from "./grid.js";
import { endlessCards } from "./cards.js";

const app = document.getElementById("app");
const query = new URLSearchParams(location.search);
const broken = document.body.dataset.broken; // the server knows whether it has been repaired

/** The JSON behind this page; more is added to the page's own query. */
async function load(more = {}) {
  const parameters = new URLSearchParams(location.search);
  for (const [key, value] of Object.entries(more)) parameters.set(key, value);
  const response = await fetch("/api" + location.pathname + "?" + parameters);
  if (!response.ok) throw new Error("the server answered " + response.status);
  return response.json();
}

function heading(table) {
  document.title = table.title;
  const parts = [el("nav", {}, el("a", { href: "/" }, "Demo site")), el("h1", {}, table.title)];
  if (table.note) parts.push(el("p", { class: "note" }, table.note));
  return parts;
}

const counted = (n, total) =>
  total === 0 ? "Showing 0 of 0 rows" : `Showing 1 to ${n.toLocaleString("en-US")} of ${total.toLocaleString("en-US")} rows`;

const painters = {
  async index() {
    const { pages, broken } = await (await fetch("/api/pages")).json();
    app.replaceChildren(
      el("h1", {}, "Demo site"),
      el("p", { class: "note" }, "Pages that are empty until their scripts have run."),
      el("ul", { class: "pages" }, ...pages.map((p) => el("li", {}, el("a", { href: p.path }, p.title), " ", el("small", {}, p.text)))),
      el("h2", {}, "Broken variants"),
      el("p", {}, "Added to any page as ?broken=NAME."),
      el("dl", { class: "broken" }, ...broken.flatMap((b) => [el("dt", {}, b.name), el("dd", {}, b.text)])),
    );
  },

  async table() {
    const table = await load();
    if (broken === "notable") {
      app.replaceChildren(...heading(table), el("p", {}, "The figures have moved."));
      return;
    }
    app.replaceChildren(...heading(table), drawTable(table), el("p", { class: "count" }, counted(table.rows.length, table.total)));
  },

  async paged() {
    const table = await load();
    app.replaceChildren(...heading(table), ...pagedTable(table, Number(query.get("size")) || 10));
  },

  async standings() {
    const table = await load();
    app.replaceChildren(...heading(table), ...standingsTables(table), el("p", { class: "count" }, `${table.total} teams`));
  },

  async cards() {
    const first = await load({ offset: 0, limit: 20 });
    app.replaceChildren(...heading(first), ...endlessCards(first, (offset) => load({ offset, limit: 20 })));
  },

  async grid() {
    const inWindows = query.get("load") === "window";
    const first = await load(inWindows ? { offset: 0, limit: 100 } : {});
    const count = el("p", { class: "count" }, first.total.toLocaleString("en-US") + " rows");
    app.replaceChildren(...heading(first), count, virtualGrid(first, (offset) => load({ offset, limit: 100 })));
  },

  async batches() {
    const table = await load();
    const size = Math.ceil(table.rows.length / 3);
    const whole = drawTable({ ...table, rows: [] });
    app.replaceChildren(...heading(table), whole);
    if (query.get("total")) app.append(el("p", { class: "count" }, counted(table.total, table.total)));
    for (let at = 0; at < table.rows.length; at += size) {
      if (at > 0) await new Promise((resolve) => setTimeout(resolve, 300));
      whole.tBodies[0].append(...drawTable({ ...table, rows: table.rows.slice(at, at + size) }).tBodies[0].rows);
    }
  },
};

async function main() {
  app.replaceChildren(el("div", { class: "spinner", role: "status", "aria-busy": "true", "aria-label": "Loading" }));
  if (broken === "throw") throw new TypeError("figures is not a function (this page is broken on purpose)");
  if (broken === "loop") for (;;);
  if (broken === "never") return;
  try {
    await painters[document.body.dataset.page]();
  } catch (error) {
    app.replaceChildren(el("p", { class: "error", role: "alert" }, "The figures could not be loaded: " + error.message + "."));
  }
}

await main();
