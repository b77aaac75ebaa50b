import { expect, test } from "vitest";
import { parseScheme } from "../quant/scheme.ts";
import { parseRecipe, settleRecipe } from "../recipe/parse-recipe.ts";
import type { RecipeInput } from "../recipe/recipe.ts";
import { budgetCautions } from "./budget-cautions.ts";

const model = { contextLength: 2048, tiedEmbeddings: true };
const scheme = parseScheme("w2g64");
const linears = [576, 1536].map((inFeatures, block) => ({
  module: `layers.${block}.linear`,
  block,
  slot: "linear",
  outFeatures: 576,
  inFeatures,
  scheme,
}));

/** What is said of a recipe with so much text. */
function cautionsOf(samples: number, recipe: Partial<RecipeInput>): string[] {
  const files = [{ path: "text.txt" }];
  const { parsed } = parseRecipe({
    model: "model",
    out: "out",
    method: "gptq",
    scheme: "w2g64",
    calibration: { files, samples, window: 512 },
    ...recipe,
  });
  return budgetCautions(settleRecipe(parsed, model), linears, 576);
}

test("GPTQ is told when it has fewer tokens than a layer has columns", () => {
  expect(cautionsOf(3, {})).toEqual([]);
  expect(cautionsOf(2, {})).toEqual([
    expect.stringMatching(
      /2 × 512 calibration tokens for layers of 1536 columns.*`samples` of at least 3/,
    ),
  ]);
});

test("so is one that only makes a start", () => {
  expect(cautionsOf(2, { method: "block-ap" })[0]).toMatch(/^GPTQ has 2 × 512/);
});

test("Block-AP is told of few steps from rounding, and of windows that it is judged by", () => {
  const steps = /^Block-AP has 15 steps a block, from plain rounding/;
  expect(cautionsOf(16, { method: "block-ap", start: { method: "rtn" } })).toEqual([
    expect.stringMatching(steps),
  ]);
  expect(cautionsOf(16, { method: "block-ap" })).toEqual([]);
  expect(cautionsOf(8, { method: "block-ap" })).toEqual([
    expect.stringMatching(/as there are only 8: use `samples` of 16/),
  ]);
  expect(cautionsOf(8, { method: "block-ap", options: { validation: 2 } })).toEqual([]);
  expect(cautionsOf(64, { method: "block-ap", start: null })).toEqual([]);
});

test("E2E-QP is told of windows that it is judged by and trained on", () => {
  const finished = (samples: number, options: object) => {
    const files = [{ path: "text.txt" }];
    const { parsed } = parseRecipe({
      model: "model",
      out: "out",
      method: "rtn",
      scheme: "w2g64",
      finishers: [{ method: "e2e-qp", options: { ...options } }],
      calibration: { files, samples, window: 512 },
    });
    const recipe = settleRecipe(parsed, model);
    const [{ method, options: chosen }] = recipe.finishers;
    return budgetCautions({ ...recipe, method, options: chosen, finishers: [] }, linears, 576);
  };
  expect(finished(16, {})).toEqual([]);
  expect(finished(8, { heldOut: 1 })).toEqual([]);
  expect(finished(8, {})).toEqual([expect.stringMatching(/as there are only 8: use `samples` of/)]);
});

test("trainings of all weights are told how many tokens they would take", () => {
  const options = { steps: 10, batch: 1 };
  const paretoq = { method: "paretoq", scheme: "w2-seq", options } as const;
  expect(cautionsOf(8, paretoq)).toEqual([
    expect.stringMatching(/1,216,512 weights on 5,120 tokens.*`steps` of 594/),
  ]);
  expect(cautionsOf(8, { ...paretoq, options: { steps: 594, batch: 1 } })).toEqual([]);
});
