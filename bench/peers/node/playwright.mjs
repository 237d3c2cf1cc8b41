// Playwright itself: one browser, and as many loops as workers, each with a
// context of its own per page, as Playwright's own tests have it, or with one page
// that it goes on with.
import { chromium } from "playwright";
import { texts } from "./texts.mjs";

// Resources that the rows do not need, aborted as Playwright's guide does it:
// faster than to load them, although each request then asks this process.
const needless = new Set(["image", "font", "media", "stylesheet"]);
const abort = (route) => (needless.has(route.request().resourceType()) ? route.abort() : route.continue());

export async function run(o) {
  const browser = await chromium.launch({ executablePath: o.browser, args: o.args });
  const urls = o.urls[Symbol.iterator]();
  const visit = async (page, url) => {
    try {
      await page.goto(url, { waitUntil: "domcontentloaded" });
      await page.waitForSelector(o.row);
      o.read(url, await page.evaluate(texts, o.row));
    } catch (error) {
      o.failed(url, error);
    }
  };
  const open = async () => {
    const context = await browser.newContext();
    await context.route("**/*", abort);
    return context.newPage();
  };
  const reused = async () => {
    const page = await open();
    for (const url of urls) await visit(page, url);
  };
  const fresh = async () => {
    for (const url of urls) {
      const page = await open();
      await visit(page, url);
      await page.context().close();
    }
  };
  const work = o.name === "playwright-reused" ? reused : fresh;
  await Promise.all(Array.from({ length: o.workers }, work));
  o.done();
  await browser.close();
}
