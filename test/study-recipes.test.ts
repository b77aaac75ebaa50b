import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkPoints, checkRecipe } from "../src/sweep/recipe/check-points.ts";
import { expandRecipe, resolveSource } from "../src/sweep/recipe/expand-recipe.ts";
import { parseSweepRecipe } from "../src/sweep/recipe/parse-sweep-recipe.ts";
import { parseSource } from "../src/sweep/recipe/recipe-source.ts";

const folder = fileURLToPath(new URL("../tools/study", import.meta.url));

describe("the recipes of npm run study", () => {
  test.each(readdirSync(folder))("%s is one, of the same variants as the others", (name) => {
    const source = parseSource(name, readFileSync(join(folder, name), "utf8"));
    const recipe = parseSweepRecipe(source.value);
    checkRecipe(recipe);
    const points = expandRecipe(recipe, (path) => resolveSource(folder, path), new Map());
    checkPoints(points);
    const labels = points.map(({ point }) => point.label.replace(/g\d+$/, "g"));
    expect(labels).toEqual([
      "original",
      "float, trained further",
      "rtn w2g",
      "rtn w1",
      "gptq w4g",
      "gptq w3g",
      "gptq w2g",
      "gptq w2",
      "gptq w1",
      "svid w1-svid",
      "svid w1-onebit",
      "block-ap w2g",
      "efficientqat w2g",
      "paretoq w4-sym",
      "paretoq w3-sym",
      "paretoq w2-seq",
      "paretoq w2-sym",
      "paretoq w1.58-seq",
      "paretoq w1-elastic",
      "bitnet w1.58",
      "onebit w1-onebit",
    ]);
  });
});
