import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Plan, RunRecord } from "../../src/index.ts";
import { fewbit, fewbitHere } from "./cli-process.ts";

const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));
const text = ["--calibration", builtin("text/calibration.txt"), "--window", "128"];

/** A run may have this much more than its plan says: heaps are collected when they like. */
const mostOver = 1.1;
/** And a plan may ask for this much more than its run has: free memory is wasted by it. */
const mostAsked = 1.4;

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-plan-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("the memory that a plan names covers what is resident at the peak, and not much more", () => {
  test.each([
    ["rtn", ["--method", "rtn", "--scheme", "w4g64"]],
    ["hqq", ["--method", "hqq", "--scheme", "w4g64-floatzero"]],
    ["gptq", ["--method", "gptq", "--scheme", "w2g64", "--samples", "24", ...text]],
    [
      "auto-round",
      ["--method", "auto-round", "--scheme", "w2g64", "--samples", "16", "--iters", "4", ...text],
    ],
    [
      "brecq",
      ["--method", "brecq", "--scheme", "w2g64", "--samples", "16", "--iters", "4", ...text],
    ],
    [
      "brecq by gradients",
      [
        "--method",
        "brecq",
        "--loss",
        "fisher",
        "--scheme",
        "w2g64",
        "--samples",
        "16",
        "--iters",
        "4",
        ...text,
      ],
    ],
    [
      "adaround",
      ["--method", "adaround", "--scheme", "w2g64", "--samples", "16", "--iters", "4", ...text],
    ],
    [
      "block-ap",
      ["--method", "block-ap", "--scheme", "w2g64", "--samples", "16", "--epochs", "1", ...text],
    ],
    [
      "paretoq",
      [
        "--method",
        "paretoq",
        "--scheme",
        "w2-seq",
        "--samples",
        "16",
        "--steps",
        "4",
        "--batch",
        "4",
        ...text,
      ],
    ],
  ])("%s", async (name, flags) => {
    const out = join(folder, name);
    const words = ["quantize", builtin("model"), ...flags, "--threads", "1", "--out", out];
    const dry = await fewbitHere([...words, "--dry-run", "--json"]);
    const { estimate } = JSON.parse(dry.stdout) as Plan;
    const { code, stderr } = await fewbit(words);
    expect({ code, stderr: code === 0 ? "" : stderr }).toEqual({ code: 0, stderr: "" });
    const record = JSON.parse(readFileSync(join(out, "run.json"), "utf8")) as RunRecord;
    expect(record.peakMemoryBytes).toBeLessThan(mostOver * estimate.memoryBytes);
    expect(record.peakMemoryBytes).toBeGreaterThan(estimate.memoryBytes / mostAsked);
  });
});
