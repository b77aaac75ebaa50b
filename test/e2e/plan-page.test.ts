import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { findBrowser, keepScreenshot, noBrowser } from "./browser.ts";
import { fewbitHere } from "./cli-process.ts";

const executablePath = findBrowser();
const absent = executablePath === null ? ` (skipped: ${noBrowser})` : "";
const evil = "<script>window.stolen = 1</script>.json";
const wide = { width: 1200, height: 900 };
const phone = { width: 390, height: 844 };
const folder = mkdtempSync(join(tmpdir(), "fewbit-plan-page-"));
const path = join(folder, "plan.html");
const config = join(folder, evil.replaceAll("/", "_"));
let browser: Browser;

beforeAll(async () => {
  const llama = {
    model_type: "llama",
    hidden_size: 4096,
    intermediate_size: 11008,
    num_hidden_layers: 32,
    num_attention_heads: 32,
    vocab_size: 32000,
    tie_word_embeddings: false,
  };
  writeFileSync(config, JSON.stringify(llama));
  const { code, stderr } = await fewbitHere(["plan", config, "--machine", "all", "--page", path]);
  expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("a page names no other host, and is not written over another", async () => {
  const page = readFileSync(path, "utf8");
  expect(page.match(/https?:\/\/[^"' <]+/g) ?? []).toEqual([
    "http://www.w3.org/2000/svg",
    "http://www.w3.org/2000/svg",
  ]);
  expect(page).toContain("default-src 'none'");
  const { code, stderr } = await fewbitHere(["plan", config, "--machine", "all", "--page", path]);
  expect(code).not.toBe(0);
  expect(stderr).toMatch(/exists already/);
});

describe.skipIf(absent)(`the page of a plan, in a browser${absent}`, () => {
  beforeAll(async () => {
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });
  afterAll(async () => browser?.close());

  test("bits, context, cache and machine move all figures", async () => {
    await withPage({ viewport: wide }, async (page, noted) => {
      await keepScreenshot(page, "plan-light.png");
      const figure = (name: string) => page.locator(`[data-figure="${name}"]`).innerText();
      expect(await figure("size")).toBe("3.76 GB");
      await page.getByRole("radio", { name: "2", exact: true }).check({ force: true });
      expect(await figure("size")).toBe("2.12 GB");
      expect(await figure("bits")).toMatch(/^w2g64: 2\.28 bits/);
      await page.getByLabel("Machine").selectOption("h100");
      expect(await figure("source")).toMatch(/3350 GB\/s/);
      const speed = Number(await figure("speed"));
      await page.getByLabel("Context").fill("16");
      expect(await figure("context")).toMatch(/65536 tokens, more than it was made for/);
      expect(Number(await figure("speed"))).toBeLessThan(speed);
      await page.getByRole("radio", { name: "i4" }).check({ force: true });
      await page.getByLabel("Machine").selectOption("iphone-15-pro");
      expect(await figure("fit")).toMatch(/^does not fit/);
      expect(await page.evaluate("window.stolen")).toBeUndefined();
      expect(noted).toEqual([]);
    });
  });

  test("the keyboard reaches every control, and arrows move the bits", async () => {
    await withPage({ viewport: wide }, async (page) => {
      await page.keyboard.press("Tab");
      await page.keyboard.press("ArrowRight");
      expect(await page.locator('input[name="bits"]:checked').getAttribute("value")).toBe("3");
      const named = page.locator("form :is(input, select)");
      for (const control of await named.all()) {
        expect(await control.evaluate((each) => (each as HTMLInputElement).labels?.length)).toBe(1);
      }
    });
  });

  test.each([
    ["dark", { viewport: wide, colorScheme: "dark" }],
    ["phone", { viewport: phone }],
  ] as const)("on a %s screen nothing is wider than the page", async (name, options) => {
    await withPage(options, async (page) => {
      await keepScreenshot(page, `plan-${name}.png`);
      const room = await page.evaluate("innerWidth - document.documentElement.scrollWidth");
      expect(room).toBeGreaterThanOrEqual(0);
    });
  });
});

async function withPage(
  options: BrowserContextOptions,
  look: (page: Page, noted: string[]) => Promise<void>,
): Promise<void> {
  const context = await browser.newContext(options);
  const noted: string[] = [];
  try {
    const page = await context.newPage();
    page.on("console", (message) => noted.push(message.text()));
    page.on("pageerror", ({ message }) => noted.push(message));
    page.on("request", (request) => {
      if (!request.url().startsWith("file:")) noted.push(request.url());
    });
    await page.goto(pathToFileURL(path).href);
    await look(page, noted);
  } finally {
    await context.close();
  }
}
