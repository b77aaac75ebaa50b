import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Evaluation, ModelComparison } from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";

const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));
const original = builtin("model");
const ternary = builtin("checkpoints/w1.58-seq");
const text = builtin("text/held-out.txt");
const onText = ["--text", text, "--window", "64", "--max-windows", "40", "--threads", "1"];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-compare-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("fewbit compare", () => {
  test("says that the original is better than its ternary version, with an interval and a p value", async () => {
    const { code, stdout } = await fewbitHere(["compare", original, ternary, ...onText]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +figure +model +w1\.58-seq +p +better$/m);
    expect(stdout).toMatch(/^ +perplexity +\d\.\d+ ± 0\.\d+ +\d\.\d+ ± 0\.\d+ +[<0. \d]+ +model$/m);
    expect(stdout.replace(/\s+/g, " ")).toMatch(
      /perplexity: model is better, \d\.\d ± \d\.\d % lower than w1\.58-seq; KL divergence of model from w1\.58-seq 0\.\d+ ± 0\.\d+ nats a token/,
    );
  });

  test("decides nothing between a model and itself", async () => {
    const task = builtin("tasks/where.jsonl");
    const words = ["compare", ternary, ternary, ...onText, "--task", task, "--limit", "10"];
    const { code, stdout } = await fewbitHere([...words, "--json"]);
    expect(code).toBe(0);
    const { figures, windows, items } = JSON.parse(stdout) as ModelComparison;
    expect([windows, items]).toEqual([40, 10]);
    expect(figures.map(({ kind }) => kind)).toContain("accuracy");
    for (const { difference } of figures) {
      expect(difference).toMatchObject({ estimate: 0, pValue: 1, verdict: "undecided" });
    }
  });

  test("says so where windows are beyond the context", async () => {
    const words = ["--text", text, "--window", "300", "--max-windows", "3", "--beyond-context"];
    const compared = await fewbitHere(["compare", original, ternary, ...words]);
    expect(compared.stdout).toContain("positions from 256 on were never trained");
    const on = [...words, "--speed-tokens", "0"];
    const { code, stdout } = await fewbitHere(["eval", ternary, ...on]);
    expect(code).toBe(0);
    expect(stdout.replace(/\s+/g, " ")).toContain("positions from 256 on were never trained");
  });

  test("gives the losses that each model has alone, and the divergence that eval measures", async () => {
    const words = [...onText, "--json"];
    const { figures, divergence } = JSON.parse(
      (await fewbitHere(["compare", ternary, original, ...words])).stdout,
    ) as ModelComparison;
    const on = [...words, "--speed-tokens", "0"];
    const measured = JSON.parse(
      (await fewbitHere(["eval", ternary, "--against", original, ...on])).stdout,
    ) as Evaluation;
    const alone = JSON.parse((await fewbitHere(["eval", original, ...on])).stdout) as Evaluation;
    expect(figures.map(({ kind }) => kind)).toEqual(["perplexity"]);
    expect(figures[0]?.a.value).toBeCloseTo(measured.perplexity, 12);
    expect(figures[0]?.b.value).toBeCloseTo(alone.perplexity, 12);
    expect(divergence?.value).toBe(measured.klDivergence?.mean);
  });

  test("with an original, says which is nearer to it", async () => {
    const other = builtin("checkpoints/w1-elastic");
    const words = ["compare", ternary, other, "--against", original, ...onText, "--json"];
    const { stdout } = await fewbitHere(words);
    const { figures } = JSON.parse(stdout) as ModelComparison;
    const divergence = figures.find(({ kind }) => kind === "divergence");
    expect(divergence?.a.value).toBeGreaterThan(0);
    expect(divergence?.a.interval.low).toBeLessThan(divergence?.a.value ?? 0);
    expect(divergence?.difference.verdict).toBe("a");
  });

  test("refuses a text for models that cut it into different tokens", async () => {
    const path = join(folder, "other-tokens");
    cpSync(original, path, { recursive: true });
    const file = join(path, "tokenizer.json");
    const tokenizer = JSON.parse(readFileSync(file, "utf8")) as { model: { merges: unknown[] } };
    tokenizer.model.merges = tokenizer.model.merges.slice(0, 20);
    writeFileSync(file, JSON.stringify(tokenizer));
    const { code, stderr } = await fewbitHere(["compare", original, path, ...onText]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/cut the text into different tokens/);
    expect(stderr).toMatch(/can be compared on tasks/);
  });

  test.each([
    [["compare", original], /model-b/],
    [["compare", original, ternary], /--text, --task or --average is missing/],
    [["compare", original, ternary, "--task", "where", "--window", "8"], /there is no --text/],
    [["compare", original, ternary, ...onText, "--max-windows", "1"], /at least 2 windows/],
  ])("refuses %j", async (words, message) => {
    const { code, stderr } = await fewbitHere(words as string[]);
    expect(code).toBe(2);
    expect(stderr).toMatch(message as RegExp);
  });
});
