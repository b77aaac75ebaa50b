import { existsSync } from "node:fs";
import { delimiter, join } from "node:path";

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

/** Why tests that need a browser are skipped. */
export const noBrowser = "no Chromium found: install one, or name it in FEWBIT_CHROMIUM";
