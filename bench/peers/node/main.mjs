// node main.mjs DRIVER --browser PATH --workers N --row CSS <URLS
//
// Opens the URLs of standard input, a line each, and prints a line of JSON for
// each page ({url, rows, id} or {url, error}) and {"done": true} when all have
// ended, before the browser is closed. Nothing is tried twice.
import { parseArgs } from "node:util";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { browser: { type: "string" }, workers: { type: "string" }, row: { type: "string" } },
});

const drivers = {
  "crawlee-playwright": "./crawlee.mjs",
  "crawlee-puppeteer": "./crawlee.mjs",
  "puppeteer-cluster-page": "./cluster.mjs",
  "puppeteer-cluster-context": "./cluster.mjs",
  "playwright-context": "./playwright.mjs",
  "playwright-reused": "./playwright.mjs",
};

async function lines(stream) {
  let text = "";
  for await (const part of stream) text += part;
  return text.split("\n").filter((line) => line !== "");
}

const tell = (line) => process.stdout.write(JSON.stringify(line) + "\n");

const name = positionals[0];
if (!drivers[name] || !values.browser || !values.row || !(Number(values.workers) > 0)) {
  process.stderr.write("usage: node main.mjs DRIVER --browser PATH --workers N --row CSS <URLS\n");
  process.exit(2);
}
const { run } = await import(drivers[name]);
await run({
  name,
  browser: values.browser,
  workers: Number(values.workers),
  row: values.row,
  urls: await lines(process.stdin),
  // Chrome has no sandbox for root.
  args: process.getuid?.() === 0 ? ["--no-sandbox"] : [],
  read: (url, rows) => tell({ url, rows: rows.length, id: rows[0]?.[0] ?? "" }),
  failed: (url, error) => tell({ url, error: String(error?.message ?? error) }),
  done: () => tell({ done: true }),
});
