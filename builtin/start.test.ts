import { mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openResults } from "../src/index.ts";
import { fewbitHere } from "../test/e2e/cli-process.ts";
import { shippedCheckpoints } from "./shipped-checkpoints.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const recipe = readFileSync(join(folder, "start.yaml"), "utf8");

let work = "";
beforeAll(() => {
  work = mkdtempSync(join(tmpdir(), "fewbit-start-"));
  for (const name of ["model", "text", "tasks", "checkpoints"]) {
    symlinkSync(join(folder, name), join(work, name), "dir");
  }
});
afterAll(() => rmSync(work, { recursive: true, force: true }));

describe("the recipe of npm start", () => {
  it("has every checkpoint that is shipped, and every task", async () => {
    const { code, stdout } = await fewbitHere(["sweep", join(folder, "start.yaml"), "--plan"]);
    expect(code).toBe(0);
    expect(stdout).toContain("12 points of 1 model");
    expect(stdout).toContain("10 tasks");
    for (const { path } of shippedCheckpoints) {
      expect(recipe).toContain(path.replace("builtin/", "checkpoint: "));
    }
  });

  it("runs, on less text and for fewer steps", async () => {
    const small = recipe
      .replaceAll(/samples: \d+/g, "samples: 4")
      .replace(/steps: \d+/, "steps: 2")
      .replaceAll(/window: \d+/g, "window: 64")
      .replace(/maxWindows: \d+/, "maxWindows: 3")
      .replace("preset: efficientqat", "preset: efficientqat, options: { epochs: 1 }")
      .replace("evaluation:\n", "evaluation:\n  limit: 2\n  speedTokens: 0\n");
    const path = join(work, "start.yaml");
    writeFileSync(path, small);
    const { code, stdout, stderr } = await fewbitHere(["sweep", path, "--verbose"]);
    expect({ code, stderr }).toMatchObject({ code: 0 });
    expect(stderr).toContain(
      "fewbit quantize model --method rtn --scheme w4g64 --embedding f16 --head f16 --out rtn-w4g64",
    );
    expect(stderr).toMatch(/point 12\/12 {2}built-in .* {2}perplexity .* {2}accuracy [\d.]+ %/);
    expect(stdout).toMatch(
      /^ {2}original\n {4}Tom has three apples\. He finds two more apples\. /m,
    );
    const { points } = await openResults(join(work, "start"));
    expect(points.map(({ point, status }) => `${point.label}: ${status}`)).toEqual([
      "original: done",
      "rtn w4g64: done",
      "gptq w4g64: done",
      "gptq w3g64: done",
      "gptq w2g64: done",
      "awq+rtn w3g64: done",
      "hqq w2g64-floatzero: done",
      "efficientqat w2g64: done",
      "paretoq w2-seq: done",
      "rtn w1g64: done",
      "paretoq w1.58-seq: done",
      "paretoq w1-elastic: done",
    ]);
    expect(points.every(({ result }) => result?.samples?.length === 2)).toBe(true);
  });
});
