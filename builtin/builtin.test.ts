import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { evaluate } from "../src/index.ts";
import { shippedCheckpoints } from "./shipped-checkpoints.ts";
import { smallFiles } from "./write-texts.ts";

const folder = fileURLToPath(new URL(".", import.meta.url));
const root = fileURLToPath(new URL("..", import.meta.url));
const model = join(folder, "model");

describe("the files of the built-in model", () => {
  it("are what the generator writes", () => {
    for (const [name, content] of smallFiles()) {
      expect(readFileSync(join(folder, name), "utf8"), name).toBe(content);
    }
  });

  it("take at most 3 MB, tokenizer and recipe included", () => {
    const sizes = readdirSync(model).map((name) => statSync(join(model, name)).size);
    const total = sizes.reduce((sum, size) => sum + size, 0);
    const recipes = ["train-early.json", "train-full.json"];
    const more = recipes.reduce((sum, name) => sum + statSync(join(folder, name)).size, 0);
    expect(total + more).toBeLessThanOrEqual(3_000_000);
  });

  it("name no place of the machine that made them", () => {
    const record = readFileSync(join(model, "run.json"), "utf8");
    expect(record).not.toMatch(/"\/|"[A-Z]:|\/tmp|\/home/);
  });

  it("have every checkpoint that is shipped", () => {
    for (const { path } of shippedCheckpoints)
      expect(existsSync(join(root, path)), path).toBe(true);
  });
});

describe("the built-in model", () => {
  /** Figures of builtin/README.md. */
  const stated = JSON.parse(readFileSync(join(folder, "figures.json"), "utf8"));

  it("has the stated perplexity on held-out text", async () => {
    const { perplexity } = await evaluate(model, {
      text: join(folder, "text", "held-out.txt"),
      window: 256,
      maxWindows: 64,
      speedTokens: 0,
    });
    expect(perplexity / stated.perplexity).toBeCloseTo(1, 2);
  });

  it("has the stated accuracies, all above chance", async () => {
    const paths = Object.keys(stated.accuracy).map((name) =>
      join(folder, "tasks", `${name}.jsonl`),
    );
    const { tasks } = await evaluate(model, { tasks: paths });
    for (const { name, accuracy, chance, items } of tasks) {
      // Another level of instructions rounds otherwise: one or two answers may fall differently.
      expect(Math.abs(accuracy.mean - stated.accuracy[name]), name).toBeLessThan(2.5 / items);
      expect(accuracy.mean - 2 * accuracy.standardError, name).toBeGreaterThan(chance);
    }
  });
});
