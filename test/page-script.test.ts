import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bundlePageScript, pageScriptFile } from "../tools/page-script.ts";

test("the script of report pages is that of its sources (npm run build)", async () => {
  expect(readFileSync(pageScriptFile, "utf8")).toBe(await bundlePageScript());
});
