import { expect, test } from "vitest";
import { parseScheme } from "../quant/scheme.ts";
import { UsageError } from "../util/errors.ts";
import { expectFittingRows } from "./expect-fitting-rows.ts";

const weight = (id: string | null, inFeatures: number) => ({
  module: "layers.0.mlp.down_proj",
  inFeatures,
  scheme: id === null ? null : parseScheme(id),
});

function refusal(check: () => void): UsageError {
  try {
    check();
  } catch (error) {
    if (error instanceof UsageError) return error;
  }
  throw new Error("it was taken");
}

test("rows that are whole blocks, or have none, are taken", () => {
  const weights = [weight("q4_k", 512), weight("q8_0", 96), weight("w4g64", 100), weight(null, 7)];
  expect(() => expectFittingRows(weights, { scheme: "q4_k" })).not.toThrow();
});

test("others are refused by the weight's name, the field and what fits", () => {
  const error = refusal(() => expectFittingRows([weight("q4_k", 96)], { scheme: "Q4_K" }));
  expect(error.message).toContain("layers.0.mlp.down_proj does not fit scheme q4_k");
  expect(error.message).toContain("96 columns");
  expect(error.hint).toContain("q4_0");
  expect(error.hint).not.toContain("q6_k");
  expect([error.field, error.value]).toEqual(["scheme", "q4_k"]);
  const ofLayer = refusal(() => expectFittingRows([weight("q4_k", 96)], { scheme: "w4" }));
  expect(ofLayer.field).toBe("layers");
  const table = { ...weight("q6_k", 96), roles: ["embedding", "head"] };
  expect(refusal(() => expectFittingRows([table], { scheme: "q6_k" })).field).toBe("embedding");
});
