import { describe, expect, test } from "vitest";
import { UsageError } from "../util/errors.ts";
import { type QuantizeOptions, toRecipe } from "./quantize-options.ts";
import { parseRecipe } from "./recipe.ts";

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
});
