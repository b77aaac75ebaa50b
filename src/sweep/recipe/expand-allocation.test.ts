import { describe, expect, test } from "vitest";
import { checkPoints, checkRecipe, spareCalibration } from "./check-points.ts";
import { expandRecipe } from "./expand-recipe.ts";
import type { ExpandedPoint } from "./expanded-point.ts";
import { parseSweepRecipe } from "./parse-sweep-recipe.ts";

const at = (path: string): string => `at/${path}`;

/** The points of a variant, checked, without the original. */
function pointsOf(variant: Record<string, unknown>): readonly ExpandedPoint[] {
  const recipe = parseSweepRecipe({
    name: "test",
    models: [{ id: "small", path: "small" }],
    calibration: { files: "text.txt", samples: 4 },
    variants: [{ method: "rtn", ...variant }],
    evaluation: { texts: ["text.txt"] },
  });
  checkRecipe(recipe);
  const [, ...points] = expandRecipe(recipe, at, new Map());
  checkPoints(points);
  return points.map(spareCalibration);
}

const choices = ["w2g64", "w4g64"];

describe("an allocation in the place of a scheme", () => {
  test("is a point for each value of its lists", () => {
    const points = pointsOf({
      allocation: { targetBpw: [2.5, 3], measure: ["fisher", "importance"], choices },
    });
    expect(points.map(({ point }) => point.label)).toEqual([
      "rtn 2.5bpw fisher",
      "rtn 3bpw fisher",
      "rtn 2.5bpw importance",
      "rtn 3bpw importance",
    ]);
    expect(points.map(({ point }) => [point.scheme, point.bits])).toEqual([
      ["2.5bpw", 2.5],
      ["3bpw", 3],
      ["2.5bpw", 2.5],
      ["3bpw", 3],
    ]);
    const allocation = { targetBpw: 2.5, measure: "fisher", choices, compareUniform: false };
    expect(points[0].work.recipe).toMatchObject({ allocation });
    expect(points[0].work.recipe?.scheme).toBe(undefined);
  });

  test("keeps its text where the method reads none", () => {
    const [uniform, allocated] = [{ scheme: "w4g64" }, { allocation: { targetBpw: 3, choices } }];
    expect(pointsOf(uniform)[0].work.recipe?.calibration).toBe(null);
    expect(pointsOf(allocated)[0].work.recipe?.calibration).not.toBe(null);
  });

  test("has its files where the recipe lies, and no bits where a size and a speed are asked for", () => {
    const targets = { targetSize: "90MB", targetSpeed: 20, machine: "machine.json" };
    const [{ point, work }] = pointsOf({
      allocation: { ...targets, stateFile: "s.json", choices },
    });
    expect(point).toMatchObject({ label: "rtn 90MB 20tok/s", scheme: "90MB 20tok/s", bits: 0 });
    const placed = { machine: "at/machine.json", stateFile: "at/s.json" };
    expect(work.recipe?.allocation).toMatchObject(placed);
  });

  test.each([
    ["a scheme beside it", { scheme: "w4", allocation: { targetBpw: 3 } }, "variants[0]", /both/],
    ["nothing in its place", {}, "variants[0].scheme", /is missing/],
    [
      "a speed of no machine",
      { allocation: { targetSpeed: 20, choices } },
      "variants[0].allocation.targetSpeed",
      /none is named/,
    ],
    [
      "no target",
      { allocation: { choices } },
      "variants[0].allocation.targetSize",
      /none was given/,
    ],
    [
      "an option that its search has not",
      {
        allocation: {
          targetBpw: 3,
          choices,
          search: "ddpg",
          searchOptions: [{ name: "generations", value: "5" }],
        },
      },
      "variants[0].allocation.searchOptions",
      /generations/,
    ],
  ])("with %s is refused", (_, variant, field, message) => {
    const refused = expect.objectContaining({
      field: expect.stringContaining(field),
      message: expect.stringMatching(message),
    });
    expect(() => pointsOf(variant)).toThrow(refused);
  });
});
