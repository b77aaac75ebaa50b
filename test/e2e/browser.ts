import { existsSync, mkdirSync } from "node:fs";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import type { Page } from "playwright-core";

const usualNames = ["chromium", "chromium-browser", "google-chrome", "google-chrome-stable"];
const usualPlaces = [
  "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
  "/Applications/Chromium.app/Contents/MacOS/Chromium",
];

/**
 * Finds a Chromium of this system: the one that `FEWBIT_CHROMIUM` names, or one on the path; null
 * when there is none.
 */
export function findBrowser(): string | null {
  const asked = process.env["FEWBIT_CHROMIUM"];
  const folders = (process.env["PATH"] ?? "").split(delimiter).filter(Boolean);
  const candidates = asked
    ? [asked]
    : [
        ...usualNames.flatMap((name) => folders.map((folder) => join(folder, name))),
        ...usualPlaces,
      ];
  return candidates.find((path) => existsSync(path)) ?? null;
}

const screenshots = fileURLToPath(new URL("../../.fewbit/screenshots/", import.meta.url));

/** Keeps a picture of a page, or of the part that is seen, where FEWBIT_SCREENSHOTS=1 asks for it. */
export async function keepScreenshot(page: Page, name: string, whole = true): Promise<void> {
  if (process.env["FEWBIT_SCREENSHOTS"] !== "1") return;
  mkdirSync(screenshots, { recursive: true });
  await page.screenshot({ path: join(screenshots, name), fullPage: whole });
}

/** Why tests that need a browser are skipped. */
export const noBrowser = "no Chromium found: install one, or name it in FEWBIT_CHROMIUM";
