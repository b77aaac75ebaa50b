import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { checkPoints, checkRecipe } from "../src/sweep/recipe/check-points.ts";
import type { ExpandedPoint } from "../src/sweep/recipe/expanded-point.ts";
import { expandRecipe, resolveSource } from "../src/sweep/recipe/expand-recipe.ts";
import { parseSweepRecipe } from "../src/sweep/recipe/parse-sweep-recipe.ts";
import { parseSource } from "../src/sweep/recipe/parse-source.ts";

const folder = fileURLToPath(new URL("../tools/study", import.meta.url));

/** What a recipe expands to, checked. */
function pointsOf(name: string): readonly ExpandedPoint[] {
  const source = parseSource(name, readFileSync(join(folder, name), "utf8"));
  const recipe = parseSweepRecipe(source.value);
  checkRecipe(recipe);
  const points = expandRecipe(recipe, (path) => resolveSource(folder, path), new Map());
  checkPoints(points);
  return points;
}

const chains = "chains.yaml";

describe("the recipes of npm run study", () => {
  test("the one of chains has each transform and E2E-QP around each method of blocks", () => {
    const methods = new Set(pointsOf(chains).map(({ point }) => point.method));
    for (const method of ["rtn", "gptq", "hqq", "block-ap"]) {
      for (const chain of [method, `awq+${method}`, `${method}+e2e-qp`]) {
        expect(methods).toContain(chain);
      }
    }
  });

  const trained = readdirSync(folder).filter((name) => name !== chains);
  test.each(trained)("%s is one, of the same variants as the others", (name) => {
    const points = pointsOf(name);
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
      "arb w1-svid",
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
      "onebit w1-svid",
    ]);
  });
});
