import { readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { bundlePageScript, pageScripts } from "../tools/page-script.ts";

test.each(pageScripts)(
  "the script of $of is that of its sources (npm run build)",
  async (script) => {
    expect(readFileSync(script.file, "utf8")).toBe(await bundlePageScript(script));
  },
);
