import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  evaluate,
  exportCheckpoint,
  type ModelComparison,
  type TaskEvaluation,
} from "../../src/index.ts";
import { fewbitHere } from "./cli-process.ts";
import { absent, shared } from "./shared-models.ts";

const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));
const original = builtin("model");
const ternary = builtin("checkpoints/w1.58-seq");
const few = ["--generate", "4", "--max-tokens", "24", "--threads", "1"];

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-generation-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

describe("what a model writes", () => {
  test("an original against itself reproduces all and diverges nowhere, drawn or greedy", async () => {
    for (const temperature of [0, 1]) {
      const generate = { count: 3, maxTokens: 20, temperature, seed: 5 };
      const { generation, original: beside } = await evaluate(original, {
        generate,
        against: original,
        threads: 1,
      });
      expect(generation?.klDivergence?.mean).toBe(0);
      expect(generation?.reproduced?.share.mean).toBe(temperature === 0 ? 1 : undefined);
      const texts = (from: typeof generation | undefined): unknown =>
        from?.continuations.map(({ text }) => text);
      expect(texts(generation)).toEqual(texts(beside?.generation));
    }
  });

  test("figures of a quantized model are beside its original's, and read again from JSON", async () => {
    const to = join(folder, "texts.jsonl");
    const words = ["eval", ternary, "--against", original, ...few, "--generate-to", to, "--json"];
    const { code, stdout } = await fewbitHere(words);
    expect(code).toBe(0);
    const found = JSON.parse(stdout) as TaskEvaluation;
    expect(found.tasks).toEqual([]);
    const { generation } = found;
    expect(generation).toMatchObject({ promptSet: "fewbit-1", maxTokens: 24, temperature: 0 });
    expect(generation?.klDivergence?.mean).toBeGreaterThan(0);
    const share = generation?.reproduced?.share.mean ?? -1;
    expect(share >= 0 && share < 1).toBe(true);
    const lines = readFileSync(to, "utf8").trimEnd().split("\n");
    const records = lines.map((line) => JSON.parse(line) as { model: string; text: string });
    expect(records.map(({ model }) => model)).toEqual([
      ...new Array<string>(4).fill(ternary),
      ...new Array<string>(4).fill(original),
    ]);
    const written = [generation, found.original?.generation];
    expect(records.map(({ text }) => text)).toEqual(
      written.flatMap((each) => each?.continuations.map(({ text }) => text)),
    );
  });

  test("the terminal shows a table, a sentence and the first texts, with a text and a task", async () => {
    const text = ["--text", builtin("text/held-out.txt"), "--window", "64", "--max-windows", "2"];
    const task = ["--task", builtin("tasks/where.jsonl"), "--limit", "4", "--speed-tokens", "0"];
    const words = ["eval", ternary, "--against", original, ...few, ...text, ...task];
    const { code, stdout } = await fewbitHere(words);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^ +writes +repetition +loops +KL in writing +reproduced/m);
    expect(stdout).toMatch(/^ +model +\d/m);
    expect(stdout.replace(/\s+/g, " ")).toMatch(
      /repeats itself without end in \d of 4 continuations; the original in \d/,
    );
    expect(stdout).toContain("The old lighthouse keeper climbed the stairs every evening, and");
  });

  test("draws follow the seed", async () => {
    const textsWith = async (seed: number): Promise<string[]> => {
      const generate = { count: 2, maxTokens: 12, temperature: 1, seed };
      const { generation } = await evaluate(original, { generate, threads: 1 });
      return (generation?.continuations ?? []).map(({ text }) => text);
    };
    const [one, again, other] = [await textsWith(1), await textsWith(1), await textsWith(2)];
    expect(again).toEqual(one);
    expect(other).not.toEqual(one);
  });

  test("two models are compared in what they write, prompt by prompt", async () => {
    const words = ["compare", original, ternary, "--against", original, ...few];
    const { code, stdout } = await fewbitHere([...words, "--json"]);
    expect(code).toBe(0);
    const { figures, prompts, windows } = JSON.parse(stdout) as ModelComparison;
    expect([prompts, windows]).toEqual([4, 0]);
    expect(figures.map(({ kind }) => kind)).toEqual(["repetition", "continuation"]);
    const [, divergence] = figures;
    expect(divergence?.a.value).toBe(0);
    expect(divergence?.difference.verdict).toBe("a");
  });

  test.each([
    [["--prompts", "p.txt"], "says how prompts are continued, but there is no --generate"],
    [["--generate", "21"], "expected 1 to 20 of the built-in prompts, got 21"],
    [["--generate", "2", "--window", "64"], "says how a text is measured, but there is no --text"],
    [["--generate", "2", "--generate-to", "/no/such/folder/x"], "continuations cannot be written"],
    [[], "--text, --task or --average is missing"],
  ])("refuses %j", async (words, message) => {
    const { code, stderr } = await fewbitHere(["eval", original, ...words]);
    expect(code).toBe(2);
    expect(stderr).toContain(message);
  });

  test("a GGUF file of the original writes what the original writes", async () => {
    const out = join(folder, "model.gguf");
    await exportCheckpoint(original, { format: "gguf", out });
    const generate = { count: 3, maxTokens: 20 };
    const { generation } = await evaluate(out, { generate, against: original, threads: 1 });
    expect(generation?.klDivergence?.mean).toBeLessThan(1e-6);
    expect(generation?.reproduced?.share.mean).toBe(1);
  });

  test(`models of other families write too${absent}`, async (context) => {
    if (absent !== "") return context.skip();
    for (const model of ["stories260K", "prose-6m"]) {
      const generate = { count: 2, maxTokens: 16 };
      const { generation } = await evaluate(shared(`models/${model}`), { generate, threads: 1 });
      expect(generation?.continuations.map(({ tokens }) => tokens > 0)).toEqual([true, true]);
      expect(generation?.continuations[0]?.text).toMatch(/[a-z]{2}/);
    }
  });
});
