// puppeteer-cluster with a page of one browser per URL, its fastest mode, or with
// a context.
import { Cluster } from "puppeteer-cluster";
import puppeteer from "puppeteer";
import { texts } from "./texts.mjs";

// Resources that the rows do not need, aborted as Puppeteer's guide does it:
// faster than to load them, although each request then asks this process.
const needless = new Set(["image", "font", "media", "stylesheet"]);
const abort = (request) => (needless.has(request.resourceType()) ? request.abort() : request.continue());

export async function run(o) {
  const cluster = await Cluster.launch({
    puppeteer,
    concurrency: o.name.endsWith("-page") ? Cluster.CONCURRENCY_PAGE : Cluster.CONCURRENCY_CONTEXT,
    maxConcurrency: o.workers,
    puppeteerOptions: { executablePath: o.browser, headless: "shell", args: o.args },
  });
  cluster.on("taskerror", (error, url) => o.failed(url, error));
  await cluster.task(async ({ page, data: url }) => {
    await page.setRequestInterception(true);
    page.on("request", abort);
    await page.goto(url, { waitUntil: "domcontentloaded" });
    await page.waitForSelector(o.row);
    o.read(url, await page.evaluate(texts, o.row));
  });
  for (const url of o.urls) cluster.queue(url);
  await cluster.idle();
  o.done();
  await cluster.close();
}
