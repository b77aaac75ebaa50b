import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { writeReport } from "../../src/report/sweep/write-report.ts";
import { oddSweeps } from "../fixtures/odd-sweeps.ts";
import { findBrowser, keepScreenshot, noBrowser } from "./browser.ts";

const executablePath = findBrowser();
const absent = executablePath === null ? ` (skipped: ${noBrowser})` : "";

/** What is wrong with the places of texts: texts that cover each other, or leave their drawing. */
const misplacedTexts = `(() => {
  const found = [];
  for (const svg of document.querySelectorAll("svg.chart")) {
    if (svg.getClientRects().length === 0) continue;
    const outer = svg.getBoundingClientRect();
    const texts = [...svg.querySelectorAll("text")];
    const boxes = texts.map((text) => text.getBoundingClientRect());
    for (const [index, a] of boxes.entries()) {
      const name = texts[index].textContent;
      const inside = a.left >= outer.left - 1 && a.right <= outer.right + 1 &&
        a.top >= outer.top - 1 && a.bottom <= outer.bottom + 1;
      if (!inside) found.push("outside: " + name);
      for (const [offset, b] of boxes.slice(index + 1).entries()) {
        const width = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const height = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        // Boxes have room above and below their letters.
        if (width > 0 && height > 2) found.push(name + " | " + texts[index + 1 + offset].textContent);
      }
    }
  }
  return found;
})()`;

/** Names of front points and of points off the chart that stand neither in a plot nor below it. */
const unnamed = `[...document.querySelectorAll('[data-chart]:not([data-chart^="family"]) svg')]
  .filter((svg) => svg.getClientRects().length > 0)
  .flatMap((svg) => [...svg.querySelectorAll("g.point:not(.faded)")]
    .map((point) => point.dataset.point)
    .filter((id) => !svg.querySelector("text[data-point=" + id + "]")))`;

/** Elements that are wider than the page, outside of boxes that scroll on their own. */
const overflowing = `[...document.querySelectorAll("main *")]
  .filter((element) => !element.closest(".wide"))
  .filter((element) => element.getBoundingClientRect().right > innerWidth + 1)
  .map((element) => element.tagName + " " + (element.textContent ?? "").slice(0, 40))`;

describe.skipIf(absent)(`pages of odd sweeps, in a browser${absent}`, () => {
  let folder = "";
  let browser: Browser;
  const sweeps = Object.entries(oddSweeps());

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fewbit-odd-"));
    for (const [name, results] of sweeps) await writeReport(results, { out: join(folder, name) });
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  async function open(name: string, width: number, scheme: "light" | "dark"): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width, height: 900 },
      colorScheme: scheme,
    });
    // How long it may take is up to the machine, and to the limit of the test.
    context.setDefaultTimeout(0);
    const page = await context.newPage();
    const address = pathToFileURL(join(folder, name, "report.html")).href;
    await page.goto(address);
    return page;
  }

  test.each(sweeps.map(([name]) => name))(
    "%s: texts cover nothing, everything is named, and the page does not scroll sideways",
    async (name) => {
      for (const [width, scheme] of [
        [390, "light"],
        [768, "dark"],
        [1280, "light"],
      ] as const) {
        const page = await open(name, width, scheme);
        await keepScreenshot(page, `odd-${name.replaceAll(/\W+/g, "-")}-${width}.png`);
        expect(await page.locator("g.point").count()).toBeGreaterThan(0);
        expect(await page.evaluate(misplacedTexts)).toEqual([]);
        expect(await page.evaluate(unnamed)).toEqual([]);
        expect(await page.evaluate(overflowing)).toEqual([]);
        expect(await page.evaluate("document.body.scrollWidth")).toBeLessThanOrEqual(width);
        await page.context().close();
      }
    },
  );

  test("the bulk of a chart with outliers is apart, and the outliers give their figures", async () => {
    const page = await open("outliers", 390, "light");
    const middles = `[...document.querySelectorAll('[data-chart="quality-size"] svg')]
      .filter((svg) => svg.getClientRects().length > 0)
      .flatMap((svg) => [...svg.querySelectorAll("g.point:not(:has(.arrow))")])
      .map((point) => point.querySelector(".mark").getBoundingClientRect().top)`;
    const tops = (await page.evaluate(middles)) as number[];
    expect(Math.max(...tops) - Math.min(...tops)).toBeGreaterThan(120);
    const labels = await page
      .locator('[data-size="narrow"] text.off, text.listed')
      .allTextContents();
    expect(labels.join("\n")).toMatch(/: 10 TB|, 10 TB|: 10\.0 TB/);
    expect(labels.join("\n")).toMatch(/w2g64: \d{4,}/);
    await page.context().close();
  });

  test("a choice of axes redraws names without covering any", async () => {
    const page = await open("sixty points", 390, "light");
    for (const axis of ["bits", "speed", "time", "memory"]) {
      await page.selectOption("#axis-x", axis);
      expect(await page.evaluate(misplacedTexts)).toEqual([]);
      expect(await page.evaluate(unnamed)).toEqual([]);
    }
    await page.context().close();
  });
});
