import { describe, expect, test } from "vitest";
import { UsageError } from "../util/errors.ts";
import { type QuantizeOptions, toRecipe } from "./quantize-options.ts";
import { parseRecipe } from "./parse-recipe.ts";

const common = { scheme: "w4g64", out: "out" } as const;

/** The recipe with all defaults that options stand for. */
const settle = (options: QuantizeOptions) => parseRecipe(toRecipe("model", options)).parsed;

describe("options of quantize", () => {
  test("calibration by a path, by paths and by its parts mean the same", () => {
    const sizes = { samples: 8, window: 64 };
    const files = [{ path: "a.txt", weight: 1 }];
    const expected = { ...settle({ ...common, method: "rtn", calibration: { files, ...sizes } }) };
    for (const calibration of ["a.txt", ["a.txt"]]) {
      const options = { ...common, ...sizes, method: "rtn", calibration } as const;
      expect(settle(options)).toEqual(expected);
    }
    expect(expected.calibration).toMatchObject({ files, samples: 8, window: 64 });
  });

  test("an option that a method does not have neither compiles nor runs", () => {
    const misspelled: QuantizeOptions = {
      ...common,
      method: "gptq",
      calibration: "a.txt",
      // @ts-expect-error the option is called damping
      options: { dampening: 0.01 },
    };
    const ofAnother: QuantizeOptions = {
      ...common,
      method: "rtn",
      // @ts-expect-error RTN has no damping
      options: { damping: 0.01 },
    };
    for (const options of [misspelled, ofAnother]) {
      expect(() => settle(options)).toThrow(UsageError);
    }
  });

  test("a method that needs data is refused without, before any work", () => {
    expect(() => settle({ ...common, method: "gptq" })).toThrow(/GPTQ needs calibration text/);
  });

  test("data is needed where the options of a method ask for it", () => {
    const arb = { ...common, scheme: "w1-svid", method: "arb" } as const;
    expect(() => settle(arb)).toThrow(/ARB needs calibration text/);
    expect(() => settle({ ...arb, options: { refinement: "rc" } })).not.toThrow();
  });

  test.each([
    [{ samples: 0 }, "calibration.samples", 0],
    [{ layers: [{ pattern: "mlp", scheme: "" }] }, "layers[0].scheme", ""],
    [{ options: { damping: -1 } }, "options.damping", -1],
    [
      { transforms: [{ method: "awq", options: { gridPoints: 0 } }] },
      "transforms[0].options.gridPoints",
      0,
    ],
    [{ finishers: ["e2e-qp", "awq"] }, "finishers[1]", "awq"],
    [{ teacher: "other" }, "teacher", "other"],
    [{ head: "w4g64a8" }, "head", "w4g64a8"],
  ])("what is wrong with %j is said of %s", (change, field, value) => {
    const options = { ...common, method: "gptq", calibration: "a.txt", ...change };
    let error: unknown;
    try {
      settle(options as unknown as QuantizeOptions);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({ name: "UsageError", field, value });
  });

  test("a transform by its id and with its options, in the order that was given", () => {
    const { transforms } = settle({
      ...common,
      method: "rtn",
      calibration: "a.txt",
      transforms: ["smoothquant", { method: "awq", options: { clip: false } }],
    });
    expect(transforms.map(({ method }) => method)).toEqual(["smoothquant", "awq"]);
    expect(transforms[0].options).toMatchObject({ producers: "all" });
    expect(transforms[1].options).toMatchObject({ clip: false, gridPoints: 20 });
    expect(settle({ ...common, method: "rtn" }).transforms).toEqual([]);
  });

  test("transforms and methods keep to their places, and transforms need data", () => {
    const recipe = { model: "model", out: "out", scheme: "w4g64" };
    expect(() => parseRecipe({ ...recipe, method: "awq" })).toThrow(/cannot quantize them/);
    expect(() =>
      parseRecipe({ ...recipe, transforms: [{ method: "rtn" }], method: "rtn" }),
    ).toThrow(/RTN is not a transform/);
    expect(() => settle({ ...common, method: "rtn", transforms: ["awq"] })).toThrow(
      /AWQ needs calibration text/,
    );
    const misspelled: QuantizeOptions = {
      ...common,
      method: "rtn",
      calibration: "a.txt",
      // @ts-expect-error the option is called clip
      transforms: [{ method: "awq", options: { clipping: false } }],
    };
    expect(() => settle(misspelled)).toThrow(UsageError);
  });
});
