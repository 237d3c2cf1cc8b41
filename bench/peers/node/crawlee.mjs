// Crawlee with Playwright or Puppeteer. Requests are blocked by its own
// blockRequests, which it says is the fastest way; it works in memory, without
// fingerprints and sessions, and with all workers from the beginning.
import { Configuration, LogLevel, log, PlaywrightCrawler } from "@crawlee/playwright";
import { PuppeteerCrawler } from "@crawlee/puppeteer";
import { chromium } from "playwright";
import puppeteer from "puppeteer";
import { texts } from "./texts.mjs";

export async function run(o) {
  log.setLevel(LogLevel.OFF);
  const launchOptions = { executablePath: o.browser, args: o.args };
  const [Crawler, launchContext] = o.name === "crawlee-playwright"
    ? [PlaywrightCrawler, { launcher: chromium, launchOptions: { ...launchOptions, headless: true } }]
    : [PuppeteerCrawler, { launcher: puppeteer, launchOptions: { ...launchOptions, headless: "shell" } }];
  const crawler = new Crawler({
    launchContext,
    browserPoolOptions: { useFingerprints: false },
    useSessionPool: false,
    persistCookiesPerSession: false,
    minConcurrency: o.workers,
    maxConcurrency: o.workers,
    maxRequestRetries: 0,
    preNavigationHooks: [async ({ blockRequests }, gotoOptions) => {
      await blockRequests();
      gotoOptions.waitUntil = "domcontentloaded";
    }],
    async requestHandler({ page, request }) {
      await page.waitForSelector(o.row);
      o.read(request.url, await page.evaluate(texts, o.row));
    },
    failedRequestHandler: ({ request }, error) => o.failed(request.url, error),
    errorHandler: () => {},
  }, new Configuration({ persistStorage: false, purgeOnStart: false, availableMemoryRatio: 0.9 }));
  // The browser closes within run, so that the last page that ends is the sign.
  let left = o.urls.length;
  const [read, failed] = [o.read, o.failed];
  const count = (tell) => (...about) => {
    tell(...about);
    if (--left === 0) o.done();
  };
  [o.read, o.failed] = [count(read), count(failed)];
  await crawler.run(o.urls);
}
