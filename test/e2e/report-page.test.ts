import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, chromium, type Locator, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { formatResultsJson } from "../../src/sweep/results/results-json.ts";
import { makeSweepResults } from "../fixtures/sweep-results.ts";
import { findBrowser, keepScreenshot, noBrowser } from "./browser.ts";
import { fewbit } from "./cli-process.ts";

const executablePath = findBrowser();
const absent = executablePath === null ? ` (skipped: ${noBrowser})` : "";

const failed = "tiny-2m rtn w2g64";
const waiting = "tiny-5m svid+onebit-kd w1-onebit";
const evil = '<script>window.stolen = 1</script><img src="https://example.org/x">';
const results = makeSweepResults({ failed: [failed], waiting: [waiting], name: `Sizes ${evil}` });

let folder = "";
let address = "";
let browser: Browser;

describe.skipIf(absent)(`the page of a report, in a browser${absent}`, () => {
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "fewbit-report-"));
    writeFileSync(join(folder, "results.json"), formatResultsJson(results));
    const { code, stderr } = await fewbit(["report", join(folder, "results.json")]);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
    address = pathToFileURL(join(folder, "report.html")).href;
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    rmSync(folder, { recursive: true, force: true });
  });

  test("says nothing on the console, asks for nothing, and runs no text of the records", async () => {
    await withPage({}, async (page, noted) => {
      await keepScreenshot(page, "report-light.png");
      expect(await page.title()).toBe(results.name);
      expect(await page.evaluate("window.stolen")).toBeUndefined();
      expect(noted).toEqual([]);
    });
  });

  test("the pointer on a point shows its record and lights its row, and the other way round", async () => {
    await withPage({}, async (page) => {
      const point = page.locator('[data-chart] [data-size="wide"] g.point:not(.faded)').first();
      const id = await point.getAttribute("data-point");
      await markOf(point).hover({ force: true });
      const record = page.locator("#record");
      await expect.poll(() => record.innerText()).toMatch(/tiny-.*\n.*bits a weight.*\nperplexity/);
      const row = page.locator(`tr[data-point="${id}"]`);
      expect(await row.getAttribute("class")).toContain("lit");
      await row.hover();
      expect(await record.isHidden()).toBe(true);
      expect(await point.getAttribute("class")).toContain("lit");
    });
  });

  test("a click copies the command of the point, and says so", async () => {
    await withPage({}, async (page) => {
      const point = page.locator('[data-size="wide"] g.point.bits-2:not(.faded)').first();
      const name = await point.getAttribute("aria-label");
      await markOf(point).click({ force: true });
      const note = page.locator("#note");
      await expect.poll(() => note.innerText()).toMatch(/^Copied: fewbit quantize /);
      const copied = String(await page.evaluate("navigator.clipboard.readText()"));
      expect(copied).toContain(`./models/${name?.split(" ")[0]} `);
      expect(await note.innerText()).toBe(`Copied: ${copied}`);
    });
  });

  test("filters hide points and rows, and the front is that of the points left", async () => {
    await withPage({}, async (page) => {
      const main = page.locator('[data-chart] [data-size="wide"]').first();
      await page.getByRole("button", { name: "2 bits", exact: true }).click();
      const twoBits = results.points.filter(
        ({ point, status }) => point.bits === 2 && status === "done",
      );
      await expect.poll(() => main.locator("g.point").count()).toBe(twoBits.length);
      expect(await main.locator("g.point:not(.bits-2)").count()).toBe(0);
      expect(await main.locator("g.point:not(.faded)").count()).toBeGreaterThanOrEqual(4);
      expect(await page.locator("tbody tr:not(.bits-2):visible").count()).toBe(0);
      expect(await page.locator(".plot .curve.bits-2:visible").count()).toBeGreaterThan(0);
      expect(await page.locator(".plot .curve:not(.bits-2):visible").count()).toBe(0);
      expect(await page.locator("#shown").innerText()).toMatch(/of 64 points/);
      await keepScreenshot(page, "report-filtered.png", false);
      await page.getByRole("button", { name: "show all" }).click();
      await expect.poll(() => main.locator("g.point").count()).toBe(62);
    });
  });

  test("the reader chooses the axes", async () => {
    await withPage({}, async (page) => {
      const titles = page.locator('[data-chart] [data-size="wide"] text.title');
      await page.selectOption("#axis-x", "speed");
      await page.selectOption("#axis-y", "average:own");
      await expect
        .poll(() => titles.allTextContents())
        .toContain("decode speed, tokens a second (log)");
      expect(await titles.allTextContents()).toContain("accuracy, average own");
      await keepScreenshot(page, "report-speed.png", false);
    });
  });

  test("heads of columns sort, also by the keyboard, and rows without a figure stay last", async () => {
    await withPage({}, async (page) => {
      const head = page.locator("th", { hasText: "perplexity" });
      const first = page.locator("tbody tr").first();
      const before = await first.innerText();
      await head.getByRole("button").focus();
      await page.keyboard.press("Enter");
      expect(await head.getAttribute("aria-sort")).toBe("descending");
      expect(await first.innerText()).toMatch(/^0.3m rtn w2g64/);
      await page.keyboard.press("Enter");
      expect(await head.getAttribute("aria-sort")).toBe("ascending");
      expect(await first.innerText()).toMatch(/^5m original/);
      expect(await page.locator("tbody tr").last().innerText()).toMatch(/failed|not done/);
      await page.keyboard.press("Enter");
      expect(await head.getAttribute("aria-sort")).toBeNull();
      expect(await first.innerText()).toBe(before);
    });
  });

  test("arrow keys go from point to point, and Enter copies", async () => {
    await withPage({}, async (page) => {
      await page.locator('[data-size="wide"] g.point[tabindex="0"]').first().focus();
      const label = "document.activeElement.getAttribute('aria-label')";
      const before = await page.evaluate(label);
      await page.keyboard.press("ArrowLeft");
      expect(await page.evaluate(label)).not.toBe(before);
      expect(await page.locator("#record").isVisible()).toBe(true);
      await page.keyboard.press("Enter");
      await expect.poll(() => page.locator("#note").innerText()).toMatch(/^Copied: fewbit /);
    });
  });

  test("follows a dark scheme", async () => {
    await withPage({ colorScheme: "dark" }, async (page) => {
      const colour = "getComputedStyle(document.body).backgroundColor";
      expect(await page.evaluate(colour)).toBe("rgb(19, 19, 22)");
      await keepScreenshot(page, "report-dark.png");
    });
  });

  test("fits a phone: no scrolling sideways, no letter below 12 pixels, a tap shows the record", async () => {
    const phone = { viewport: { width: 390, height: 844 }, hasTouch: true, isMobile: true };
    await withPage(phone, async (page) => {
      await keepScreenshot(page, "report-phone.png");
      expect(await page.evaluate("document.documentElement.scrollWidth")).toBeLessThanOrEqual(390);
      expect(await page.evaluate(smallestLetters)).toBeGreaterThanOrEqual(12);
      const point = page.locator('[data-size="narrow"] g.point.bits-2:not(.faded)').first();
      await markOf(point).tap({ force: true });
      await expect.poll(() => page.locator("#record").innerText()).toContain("perplexity");
      expect(await page.locator("#note").isHidden()).toBe(true);
      await markOf(point).tap({ force: true });
      await expect.poll(() => page.locator("#note").innerText()).toMatch(/^Copied: fewbit /);
    });
  });

  test("letters are at least 12 pixels high on a wide screen and a tablet too", async () => {
    for (const width of [780, 900, 1280]) {
      await withPage({ viewport: { width, height: 900 } }, async (page) => {
        expect(await page.evaluate(smallestLetters)).toBeGreaterThanOrEqual(11.9);
      });
    }
  });

  test("can be read without its script, and printed", async () => {
    await withPage({ javaScriptEnabled: false }, async (page) => {
      expect(await page.locator("tbody tr").count()).toBe(results.points.length);
      expect(await page.locator('[data-size="wide"] g.point').first().isVisible()).toBe(true);
      expect(await page.locator("text=fewbit quantize").count()).toBeGreaterThan(0);
      expect(await page.locator("button, select").count()).toBe(0);
      await page.emulateMedia({ media: "print" });
      await keepScreenshot(page, "report-print.png");
    });
  });
});

/** The mark itself; whiskers make its group larger, and marks may lie close together. */
function markOf(point: Locator): Locator {
  return point.locator(".mark");
}

/** Height of the smallest text that is shown, in pixels of the screen. */
const smallestLetters = `Math.min(...[...document.querySelectorAll("main *")]
  .filter((element) => [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim()))
  .filter((element) => element.getClientRects().length > 0 && element.tagName !== "title")
  .map((element) => {
    const drawing = element.closest("svg");
    const scale = drawing ? drawing.getBoundingClientRect().width / drawing.viewBox.baseVal.width : 1;
    return scale * parseFloat(getComputedStyle(element).fontSize);
  }))`;

/** Opens the page; what it says on the console and asks of the network is noted. */
async function withPage(
  options: Parameters<Browser["newContext"]>[0],
  use: (page: Page, noted: readonly string[]) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext({ viewport: { width: 1280, height: 900 }, ...options });
  // How long it may take is up to the machine, and to the limit of the test.
  context.setDefaultTimeout(0);
  try {
    await context.grantPermissions(["clipboard-read", "clipboard-write"]);
    const page = await context.newPage();
    const noted: string[] = [];
    page.on("console", (message) => noted.push(message.text()));
    page.on("pageerror", (error) => noted.push(String(error)));
    page.on("request", (request) => {
      if (request.url() !== address) noted.push(request.url());
    });
    await page.goto(address);
    await use(page, noted);
    expect(noted).toEqual([]);
  } finally {
    await context.close();
  }
}
