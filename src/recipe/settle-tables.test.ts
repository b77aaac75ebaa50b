import { describe, expect, test } from "vitest";
import { parseRecipe, settleRecipe } from "./parse-recipe.ts";
import type { RecipeInput } from "./recipe.ts";

const usual = "w8g64-sym";
const calibration = { files: [{ path: "text.txt" }] };

/** What becomes of embedding and head. */
function tablesOf(
  recipe: Partial<RecipeInput>,
  tiedEmbeddings = false,
  packedTables: readonly ("embedding" | "head")[] = [],
) {
  const { parsed } = parseRecipe({
    model: "model",
    out: "out",
    method: "rtn",
    ...(recipe.allocation ? {} : { scheme: "w4g64" }),
    ...recipe,
  } as RecipeInput);
  const model = { contextLength: 512, tiedEmbeddings, packedTables };
  const { embedding, head } = settleRecipe(parsed, model);
  return { embedding, head };
}

describe("embedding and output head", () => {
  test("have 8 bits unless something else is said", () => {
    expect(tablesOf({})).toEqual({ embedding: usual, head: usual });
    expect(tablesOf({ head: "w4g64" })).toEqual({ embedding: usual, head: "w4g64" });
    expect(tablesOf({ embedding: "w4g64" })).toEqual({ embedding: "w4g64", head: usual });
  });

  test("stay as they are stored with f16, each by itself", () => {
    expect(tablesOf({ embedding: "f16", head: "f16" })).toEqual({ embedding: null, head: null });
    expect(tablesOf({ embedding: "f16" })).toEqual({ embedding: null, head: usual });
    expect(tablesOf({ embedding: null, head: null })).toEqual({ embedding: null, head: null });
  });

  test("take the scheme of the one that is named where they are one table", () => {
    expect(tablesOf({}, true)).toEqual({ embedding: usual, head: null });
    expect(tablesOf({ head: "w4g64" }, true)).toEqual({ embedding: null, head: "w4g64" });
    expect(tablesOf({ embedding: "f16" }, true)).toEqual({ embedding: null, head: null });
    expect(tablesOf({ head: "f16" }, true)).toEqual({ embedding: null, head: null });
  });

  test("stay as they are where they are stored in few bits", () => {
    expect(tablesOf({}, true, ["embedding", "head"])).toEqual({ embedding: null, head: null });
    expect(tablesOf({}, false, ["head"])).toEqual({ embedding: usual, head: null });
    expect(tablesOf({ head: "w4g64" }, false, ["head"]).head).toBe("w4g64");
    const transforms = [{ method: "quarot" as const }];
    expect(tablesOf({ transforms, calibration }, true, ["embedding", "head"]).head).toBe(usual);
  });

  test("are two tables behind a rotation", () => {
    const transforms = [{ method: "quarot" as const }];
    expect(tablesOf({ transforms, calibration }, true)).toEqual({ embedding: usual, head: usual });
  });

  test.each<[string, Partial<RecipeInput>]>([
    ["a mixture", { scheme: "Q4_K_M" }],
    ["an allocation", { allocation: { targetBpw: 3, choices: ["w2g64", "w4g64"] }, calibration }],
    ["an unknown architecture", { generic: true }],
    ["training of the whole model", { method: "paretoq", scheme: "w4-sym", calibration }],
    [
      "a finisher that trains them, too",
      { method: "svid", scheme: "w1-svid", finishers: [{ method: "onebit-kd" }], calibration },
    ],
  ])("are left alone by default: %s", (_, recipe) => {
    expect(tablesOf(recipe)).toEqual({ embedding: null, head: null });
  });

  test("have 8 bits in front of a finisher that leaves them alone", () => {
    const finishers = [
      { method: "onebit-kd" as const, options: { trainRest: false } },
      { method: "e2e-qp" as const },
    ];
    expect(tablesOf({ finishers: finishers.slice(1), calibration }).head).toBe(usual);
    const kept = { method: "svid", scheme: "w1-svid", finishers: finishers.slice(0, 1) } as const;
    expect(tablesOf({ ...kept, finishers: [...kept.finishers], calibration }).head).toBe(usual);
  });
});
