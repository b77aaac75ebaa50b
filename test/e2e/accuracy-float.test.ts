import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { evaluate } from "../../src/index.ts";
import {
  absent,
  evaluationText,
  everything,
  perplexityOf,
  readReference,
  shared,
} from "./shared-models.ts";

/** Perplexities over the first windows of a text (tools/golden/make_perplexity.py). */
const golden: Record<string, { windows: number; perplexity: number }> = JSON.parse(
  readFileSync(new URL("../golden/perplexity.json", import.meta.url), "utf8"),
);

describe.skipIf(absent)(`float perplexity equals that of PyTorch to 0.1 %${absent}`, () => {
  test.each(["stories260K", "babyllama-tok105"] as const)("%s", async (model) => {
    const expected = readReference(model).perplexity;
    const found = await perplexityOf(shared(`models/${model}`), model);
    expect(found / expected).toBeGreaterThan(0.999);
    expect(found / expected).toBeLessThan(1.001);
  });

  test("stories260K in three shards gives the same number", async () => {
    const directories = ["models/stories260K", "models/stories260K-sharded"].map(shared);
    const [whole, sharded] = await Promise.all(
      directories.map((path) => perplexityOf(path, "stories260K", 64)),
    );
    expect(sharded).toBe(whole);
  });

  const { windows, perplexity } = golden["prose-6m"];
  test(`prose-6m, ${everything ? "all" : `the first ${windows}`} windows`, async () => {
    const expected = everything ? readReference("prose-6m").perplexity : perplexity;
    const most = everything ? undefined : windows;
    const found = await perplexityOf(shared("models/prose-6m"), "prose-6m", most);
    expect(found / expected).toBeGreaterThan(0.999);
    expect(found / expected).toBeLessThan(1.001);
  });

  test("a model against itself has no divergence and agrees on every token", async () => {
    const path = shared("models/stories260K");
    const { klDivergence, topTokenAgreement } = await evaluate(path, {
      text: evaluationText("stories260K"),
      window: 256,
      maxWindows: 16,
      speedTokens: 0,
      against: path,
    });
    expect(klDivergence).toMatchObject({ mean: 0, percentile99: 0, maximum: 0 });
    expect(klDivergence?.interval).toEqual({ low: 0, high: 0, level: 0.95 });
    expect(topTokenAgreement).toBe(1);
  });
});
