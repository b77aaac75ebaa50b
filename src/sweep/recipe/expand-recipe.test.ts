import { expect, it } from "vitest";
import { expandRecipe } from "./expand-recipe.ts";
import { learnedFiles } from "./identify-points.ts";
import { parseSweepRecipe } from "./parse-sweep-recipe.ts";
import { sourceOfValue } from "./recipe-source.ts";

it("gives the sweep's calibration text to all variants but those that run no model", () => {
  const { value } = sourceOfValue({
    name: "test",
    models: [{ id: "small", path: "small" }],
    calibration: { files: "text.txt", samples: 4 },
    variants: [
      { method: "rtn", scheme: "w4" },
      { method: "rtn", scheme: "w4", generic: true },
      { method: "rtn", scheme: "w4", generic: true, calibration: { files: "own.txt" } },
    ],
    evaluation: { texts: ["text.txt"] },
  });
  const points = expandRecipe(parseSweepRecipe(value), (path) => path, new Map());
  const files = points.map(({ work }) => work.recipe?.calibration?.files?.map(({ path }) => path));
  // The original comes first. What a variant asks for itself is refused when its recipe is read.
  expect(files).toEqual([undefined, ["text.txt"], undefined, ["own.txt"]]);
});

it("places embeddings of images where the recipe lies", () => {
  const { value } = sourceOfValue({
    name: "test",
    models: [{ id: "small", path: "small" }],
    calibration: { files: "talk.jsonl", imageEmbeddings: "images.safetensors" },
    variants: [{ method: "gptq", scheme: "w4" }],
    evaluation: { texts: ["text.txt"] },
  });
  const [, { work }] = expandRecipe(parseSweepRecipe(value), (path) => `at/${path}`, new Map());
  expect(work.recipe?.calibration?.imageEmbeddings).toBe("at/images.safetensors");
  expect(learnedFiles(work)).toEqual(["at/talk.jsonl", "at/images.safetensors"]);
});
