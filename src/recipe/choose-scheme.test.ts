import { describe, expect, test } from "vitest";
import { type MethodId, methods } from "../methods/index.ts";
import { grids } from "../quant/grids/index.ts";
import { makeScheme } from "../quant/scheme.ts";
import { chooseScheme } from "./choose-scheme.ts";
import { parseRecipe } from "./parse-recipe.ts";
import type { RecipeInput } from "./recipe.ts";

const parse = (method: MethodId, scheme: string, more: Partial<RecipeInput> = {}) =>
  parseRecipe({
    model: "model",
    out: "out",
    method,
    scheme,
    calibration: { files: [{ path: "text.txt" }] },
    ...more,
  });

describe("a scheme without the name of a grid", () => {
  test.each<[MethodId, string, string]>([
    ["hqq", "w2g64", "w2g64-floatzero"],
    ["hqq", "w4", "w4-floatzero"],
    ["hqq", "w8g32a8", "w8g32-floatzeroa8"],
    ["paretoq", "w1", "w1-elastic"],
    ["paretoq", "w1.58g64", "w1.58g64-seq"],
    ["paretoq", "w2", "w2-seq"],
    ["paretoq", "w3g128", "w3g128-sym"],
    ["paretoq", "w4a8", "w4-syma8"],
    ["paretoq", "w8", "w8-sym"],
    ["block-ap", "w1g64", "w1g64-elastic"],
    ["block-ap", "w1.58", "w1.58-seq"],
    ["svid", "w1", "w1-svid"],
  ])("%s takes %s for %s, and says so", (method, written, chosen) => {
    const { parsed, choices } = parse(method, written);
    expect(parsed.scheme).toBe(chosen);
    const { title } = methods[method];
    expect(choices).toEqual([
      `${written} stands for ${chosen} here: ${title} does not take ${written} itself`,
    ]);
    expect(parse(method, chosen)).toMatchObject({ parsed: { scheme: chosen }, choices: [] });
  });

  test("is the one that all methods of a chain take", () => {
    const finishers: RecipeInput["finishers"] = [{ method: "onebit-kd" }];
    expect(parse("svid", "w1", { finishers }).parsed.scheme).toBe("w1-onebit");
  });

  test("of single layers too", () => {
    const layers = [
      { pattern: "mlp.down_proj", scheme: "w4g64" },
      { pattern: "q_proj", scheme: "w8-floatzero" },
    ];
    const { parsed, choices } = parse("hqq", "w2g64", { layers });
    expect(parsed.layers.map(({ scheme }) => scheme)).toEqual(["w4g64-floatzero", "w8-floatzero"]);
    expect(choices).toHaveLength(2);
  });

  test.each<[MethodId, string]>([
    ["hqq", "w2g64-sym"],
    ["hqq", "w2g64-asym"],
    ["hqq", "w1g64"],
    ["hqq", "w1.58"],
    ["paretoq", "w4-floatzero"],
    ["block-ap", "w2g64a8"],
    ["bitnet", "w2"],
    ["svid", "w1g64"],
    ["svid", "w2"],
  ])("%s refuses %s, which names another or has none", (method, scheme) => {
    expect(() => parse(method, scheme)).toThrow(/does not support the scheme/);
  });

  test("stays what it is to every method that takes it", () => {
    for (const method of Object.values(methods)) {
      for (const grid of grids) {
        const { id } = makeScheme(grid, null);
        const chosen = chooseScheme(id, [method]);
        if (method.supports(makeScheme(grid, null))) expect(chosen.id).toBe(id);
        else if (chosen.id !== id) expect(method.supports(chosen)).toBe(true);
      }
    }
  });
});
