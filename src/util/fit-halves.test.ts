import { expect, test } from "vitest";
import { NumericError } from "./errors.ts";
import { fitHalves } from "./fit-halves.ts";
import { halvesToFloats } from "./half.ts";

const subject = { what: "values", hint: "use float32", field: "dtype", value: "f16" };

test("values that fit are rounded, and what was infinite or NaN before stays so", () => {
  const values = Float32Array.of(1, -65504, 65519, Number.POSITIVE_INFINITY, Number.NaN);
  const rounded = halvesToFloats(fitHalves(values, subject));
  expect([...rounded]).toEqual([1, -65504, 65504, Number.POSITIVE_INFINITY, Number.NaN]);
});

test.each([65520, -1e5, 3e38])("%d is refused with the range and the way out", (value) => {
  const fit = () => fitHalves(Float32Array.of(0, value, 1), subject);
  expect(fit).toThrow(NumericError);
  expect(fit).toThrow(/^values reach \d\S+ and do not fit into float16, .* is 65504$/);
  expect(fit).toThrow(expect.objectContaining({ hint: "use float32", field: "dtype" }));
});
