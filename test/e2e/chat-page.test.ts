import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { build } from "vite";
import type { Asset } from "../../src/server/server-context.ts";
import { findBrowser, keepScreenshot, noBrowser } from "./browser.ts";
import { type ChatServer, serveTiny } from "../fixtures/chat-server.ts";

const executablePath = findBrowser();
const absent = executablePath === null ? ` (skipped: ${noBrowser})` : "";
const types = { html: "text/html", js: "text/javascript", css: "text/css" };

let browser: Browser;
let server: ChatServer;
let assets: ReadonlyMap<string, Asset>;

/** Builds the page in memory, as a server has it. */
async function buildPage(): Promise<ReadonlyMap<string, Asset>> {
  const configFile = fileURLToPath(new URL("../../apps/chat/vite.config.ts", import.meta.url));
  const built = await build({ configFile, build: { write: false } });
  const [first] = Array.isArray(built) ? built : [built];
  if (!("output" in first)) throw new Error("the page was not built");
  return new Map(
    first.output.map((file) => {
      const text = file.type === "chunk" ? file.code : file.source;
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      const ending = file.fileName.split(".").at(-1) as keyof typeof types;
      const path = file.fileName === "index.html" ? "/" : `/${file.fileName}`;
      return [path, { bytes, type: types[ending] }] as const;
    }),
  );
}

describe.skipIf(absent)(`the chat page, in a browser${absent}`, () => {
  beforeAll(async () => {
    assets = await buildPage();
    server = await serveTiny({ assets, names: ["original", "two-bit"] });
    browser = await chromium.launch({
      executablePath: executablePath as string,
      args: ["--no-sandbox", "--disable-gpu"],
    });
  });

  afterAll(async () => {
    await browser?.close();
    await server?.remove();
  });

  test("answers, says what it cost, and keeps the conversation", async () => {
    await withPage({ tokens: 12 }, async (page, noted) => {
      await keepScreenshot(page, "chat-empty.png", false);
      await send(page, "Once upon a time");
      await finished(page);
      const answer = page.getByRole("article", { name: "Answer of original" });
      expect((await answer.locator(".prose").innerText()).length).toBeGreaterThan(3);
      expect(await answer.locator(".cost").innerText()).toMatch(
        /first token after .* · prompt \d+ tokens.* · answer \d+ tokens at/,
      );
      await keepScreenshot(page, "chat-answer.png", false);
      await page.reload();
      await expect.poll(() => page.locator(".question").innerText()).toContain("Once upon a time");
      expect(noted).toEqual([]);
    });
  });

  test("Esc stops an answer; what was written stays", async () => {
    const held = await holdAnswer();
    try {
      await withPage({}, async (page) => {
        await page.route("**/v1/chat/completions", (route) => route.continue({ url: held.url }));
        await send(page, "Tell me a long story");
        await expect.poll(() => page.locator(".prose").innerText()).toBe("Once");
        await page.keyboard.press("Escape");
        await finished(page);
        await held.gone;
        expect(await page.locator(".cost").innerText()).toContain("stopped");
        expect(await page.locator(".prose").innerText()).toBe("Once");
      });
    } finally {
      held.close();
    }
  });

  test("conversations are renamed, written to a file, deleted and read from it; other tabs follow", async () => {
    await withPage({ tokens: 4 }, async (page) => {
      await send(page, "Once upon a time");
      await finished(page);
      const entry = (name: string) => page.getByRole("button", { name, exact: true });
      await entry("Rename Once upon a time").click();
      await page.getByRole("textbox", { name: "Title" }).fill("A tale");
      await page.keyboard.press("Enter");
      await entry("A tale").waitFor();
      const other = await page.context().newPage();
      await expect
        .poll(() => page.evaluate("localStorage['fewbit-chat-conversations']"))
        .toContain("A tale");
      await other.goto(server.url);
      await other.getByRole("button", { name: "A tale", exact: true }).waitFor();
      const [download] = await Promise.all([
        page.waitForEvent("download"),
        entry("Export").click(),
      ]);
      const file = await download.path();
      await entry("Delete A tale").click();
      await expect.poll(() => entry("A tale").count()).toBe(0);
      await expect.poll(() => other.getByText("A tale").count()).toBe(0);
      const input = page.locator("input[type=file]");
      await input.setInputFiles({
        name: "wrong.json",
        mimeType: "application/json",
        buffer: Buffer.from("{}"),
      });
      await expect.poll(() => page.getByRole("alert").innerText()).toContain("wrong.json");
      await input.setInputFiles(file);
      await entry("A tale").click();
      await expect.poll(() => page.locator(".question").innerText()).toContain("Once upon a time");
    });
  });

  test("a message that is edited takes the place of the old one and its answer", async () => {
    await withPage({ tokens: 4 }, async (page) => {
      await send(page, "First");
      await finished(page);
      await send(page, "Second");
      await finished(page);
      await page.getByRole("button", { name: "Edit this message" }).first().click();
      const field = page.locator(".editing textarea");
      expect(await field.inputValue()).toBe("First");
      await field.fill("Another first");
      await field.press("Enter");
      await finished(page);
      expect(await page.locator(".question").allInnerTexts()).toEqual(["Another first"]);
    });
  });

  test("Markdown of an answer is shown, and what could do harm is not", async () => {
    const text = [
      "# Title\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```js\nlet x = 1;\n```\n",
      '<script>window.stolen = 1</script><img src="https://example.org/x" onerror="window.stolen = 1">',
      '[bad](javascript:window.stolen=1) [good](https://example.org) <iframe src="/"></iframe>',
    ].join("\n");
    const events = [
      { choices: [{ delta: { content: text }, finish_reason: null }] },
      { choices: [{ delta: {}, finish_reason: "stop" }] },
    ];
    await withPage({}, async (page) => {
      await page.route("**/v1/chat/completions", (route) =>
        route.fulfill({
          contentType: "text/event-stream",
          body: [...events.map((event) => JSON.stringify(event)), "[DONE]"]
            .map((data) => `data: ${data}\n\n`)
            .join(""),
        }),
      );
      await send(page, "Show me");
      await finished(page);
      const prose = page.locator(".prose");
      expect(await prose.locator("h1").innerText()).toBe("Title");
      expect(await prose.locator("td").allInnerTexts()).toEqual(["1", "2"]);
      expect(await prose.locator("pre code").innerText()).toContain("let x = 1;");
      await prose.getByRole("button", { name: "Copy this code" }).waitFor();
      expect(await prose.locator("script, img, iframe, [onerror]").count()).toBe(0);
      const links = await prose
        .locator("a")
        .evaluateAll((all) => all.map((a) => a.getAttribute("href")));
      expect(links).toEqual([null, "https://example.org"]);
      expect(await page.evaluate("window.stolen")).toBeUndefined();
    });
  });

  test("two models answer side by side", async () => {
    await withPage({ tokens: 8 }, async (page) => {
      await page.getByRole("combobox", { name: "Compare with" }).selectOption("two-bit");
      await send(page, "Once upon a time");
      await finished(page);
      const [left, right] = ["original", "two-bit"].map((name) =>
        page.getByRole("article", { name: `Answer of ${name}` }),
      );
      // Both names stand for one model, and both draw by one seed.
      const [one, other] = await page.locator(".prose").allInnerTexts();
      expect(other).toBe(one);
      expect(await left.locator(".cost").innerText()).toContain("answer");
      expect(await right.locator(".cost").innerText()).toContain("answer");
      const [a, b] = [await left.boundingBox(), await right.boundingBox()];
      expect(a && b && a.y === b.y && a.x + a.width <= b.x).toBe(true);
      await expect
        .poll(() => page.locator(".sizes").innerText())
        .toMatch(/original .*B · two-bit .*B/);
      await keepScreenshot(page, "chat-two.png", false);
    });
  });

  test("works with keys alone, and says what everything is", async () => {
    await withPage({ tokens: 4 }, async (page) => {
      await page.keyboard.press("Control+Shift+O");
      await page.keyboard.type("Hello");
      await page.keyboard.press("Shift+Enter");
      await page.keyboard.type("there");
      expect(await page.getByRole("textbox", { name: "Message" }).inputValue()).toBe(
        "Hello\nthere",
      );
      await page.keyboard.press("Enter");
      await finished(page);
      await page.keyboard.press("Control+,");
      await page.getByRole("complementary", { name: "Settings" }).waitFor();
      const focused = (): Promise<string> =>
        page.evaluate(() => document.activeElement?.getAttribute("aria-label") ?? "");
      await expect.poll(focused).toBe("Close the settings");
      const unnamed = await page.evaluate(() => {
        const named = (element: Element): string =>
          element.getAttribute("aria-label") ??
          (element as HTMLInputElement).labels?.[0]?.textContent ??
          element.textContent ??
          "";
        return [...document.querySelectorAll("button, input, select, textarea")]
          .filter((element) => named(element).trim() === "")
          .map((element) => element.outerHTML);
      });
      expect(unnamed).toEqual([]);
      expect(await page.locator("[role=status]").innerText()).toBe("The answer is there.");
      await page.keyboard.press("Escape");
      await expect.poll(() => page.locator(".panel").count()).toBe(0);
      expect(await focused()).toBe("Message");
    });
  });

  test.each([
    { name: "phone", options: { viewport: { width: 390, height: 780 } } },
    { name: "dark", options: { colorScheme: "dark" as const } },
  ])("nothing is wider than the screen: $name", async ({ name, options }) => {
    await withPage({ ...options, tokens: 16 }, async (page) => {
      await send(page, "Once upon a time");
      await finished(page);
      const wide = await page.evaluate(
        () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
      );
      expect(wide).toBe(0);
      await keepScreenshot(page, `chat-${name}.png`, false);
      await page.getByRole("button", { name: "Settings" }).click();
      await keepScreenshot(page, `chat-${name}-settings.png`, false);
    });
  });

  test("a server that wants a key is given one", async () => {
    const locked = await serveTiny({ assets, apiKey: "secret" });
    try {
      await withPage(
        {},
        async (page) => {
          await page.getByRole("alert").waitFor();
          await keepScreenshot(page, "chat-key.png", false);
          await page.getByRole("textbox", { name: "API key" }).fill("secret");
          await page.getByRole("button", { name: "Use it" }).click();
          await expect.poll(() => page.getByRole("alert").count()).toBe(0);
          await expect
            .poll(() => page.getByRole("heading", { level: 2 }).allInnerTexts())
            .toContain("Ask tiny");
        },
        locked.url,
      );
    } finally {
      await locked.remove();
    }
  });
});

async function send(page: Page, text: string): Promise<void> {
  const field = page.getByRole("textbox", { name: "Message" });
  await field.fill(text);
  await page.getByRole("button", { name: "Send the message" }).click();
  await page.locator(".answer").last().waitFor();
}

async function finished(page: Page): Promise<void> {
  await expect.poll(() => page.locator(".answer.writing").count(), { timeout: 30_000 }).toBe(0);
}

/** A server whose answer begins with "Once" and goes no further; `gone` settles when the page has left. */
async function holdAnswer(): Promise<{
  readonly url: string;
  readonly gone: Promise<void>;
  close(): void;
}> {
  let leave = (): void => {};
  const gone = new Promise<void>((resolve) => {
    leave = resolve;
  });
  const piece = { choices: [{ delta: { content: "Once" }, finish_reason: null }] };
  const holding = createServer((_, response) => {
    response.on("close", leave);
    response.writeHead(200, { "content-type": "text/event-stream" });
    response.write(`data: ${JSON.stringify(piece)}\n\n`);
  });
  await new Promise<void>((resolve) => holding.listen(0, "127.0.0.1", resolve));
  const { port } = holding.address() as AddressInfo;
  const close = (): void => {
    holding.close();
    holding.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${port}/`, gone, close };
}

interface PageOptions extends BrowserContextOptions {
  /** Tokens that answers may have; the page's own default where it is left out. */
  readonly tokens?: number;
}

/** Opens the page in a browser that was never there; `noted` has what its console says. */
async function withPage(
  { tokens, ...options }: PageOptions,
  use: (page: Page, noted: readonly string[]) => Promise<void>,
  url: string = server.url,
): Promise<void> {
  const context = await browser.newContext(options);
  try {
    const kept = JSON.stringify({ sampling: { maxTokens: tokens } });
    if (tokens) {
      await context.addInitScript(`localStorage.setItem("fewbit-chat-settings", '${kept}')`);
    }
    const page = await context.newPage();
    const noted: string[] = [];
    page.on("console", (message) => noted.push(message.text()));
    page.on("pageerror", (error) => noted.push(error.message));
    await page.goto(url);
    if (tokens) await page.getByRole("combobox", { name: "Model" }).waitFor();
    await use(page, noted);
  } finally {
    await context.close();
  }
}
