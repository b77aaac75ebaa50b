import { expect, test } from "vitest";
import { methods } from "../methods/index.ts";
import { UsageError } from "../util/errors.ts";
import { parseRecipe } from "./parse-recipe.ts";
import { type QuantizeOptions, toRecipe } from "./quantize-options.ts";
import type { RecipeInput } from "./recipe.ts";

const text = { files: [{ path: "text.txt" }] };
const blockAp: RecipeInput = {
  model: "model",
  out: "out",
  method: "block-ap",
  scheme: "w2g64",
  calibration: text,
};

const startOf = (recipe: Partial<RecipeInput>) =>
  parseRecipe({ ...blockAp, ...recipe }).parsed.start;

test("a start is written down with its options, also the usual one", () => {
  const usual = startOf({});
  expect(usual?.method).toBe("gptq");
  expect(usual?.options).toMatchObject({ damping: methods.gptq.options.parse({}).damping });
  expect(startOf({ start: { method: "gptq", options: { damping: 0.5 } } })?.options).toMatchObject({
    damping: 0.5,
  });
});

test("null is the beginning of the method's own, and other methods have none", () => {
  expect(startOf({ start: null })).toBeNull();
  expect(startOf({ method: "rtn" })).toBeNull();
});

test("options of the library take a name, or a name with options", () => {
  const options: QuantizeOptions = {
    method: "block-ap",
    scheme: "w2g64",
    out: "out",
    calibration: "text.txt",
  };
  expect(toRecipe("model", { ...options, start: "rtn" }).start).toEqual({ method: "rtn" });
  const chosen = { method: "gptq", options: { damping: 0.5 } } as const;
  expect(toRecipe("model", { ...options, start: chosen }).start).toEqual(chosen);
  expect(toRecipe("model", { ...options, start: null }).start).toBeNull();
  expect("start" in toRecipe("model", options)).toBe(false);
});

test.each<[string, Partial<RecipeInput>, RegExp]>([
  ["a method that takes none", { method: "gptq", start: { method: "rtn" } }, /^GPTQ chooses its/],
  [
    "the method itself",
    { start: { method: "block-ap" } },
    /cannot begin with what it makes itself/,
  ],
  ["a method of whole models", { start: { method: "paretoq" } }, /trains a whole model/],
  ["a transform", { start: { method: "awq" } }, /cannot quantize them by itself/],
  ["a finisher", { start: { method: "e2e-qp" } }, /cannot make one/],
  [
    "a method that scales channels",
    { start: { method: "omniquant", options: { transformation: true } } },
    /OmniQuant scales channels/,
  ],
  [
    "a grid that it does not have",
    { start: { method: "hqq" } },
    /does not support the scheme w2g64/,
  ],
])("%s is refused as a start", (_, recipe, message) => {
  const parse = (): unknown => parseRecipe({ ...blockAp, ...recipe });
  expect(parse).toThrow(UsageError);
  expect(parse).toThrow(
    expect.objectContaining({ field: "start", message: expect.stringMatching(message) }),
  );
});

test("an option that the start does not have is refused with its place", () => {
  const start = { method: "gptq", options: { iterations: 3 } } as const;
  expect(() => parseRecipe({ ...blockAp, start })).toThrow(
    expect.objectContaining({ field: expect.stringMatching(/^start\.options/) }),
  );
});
