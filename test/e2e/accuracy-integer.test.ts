import { describe, expect, test } from "vitest";
import { exportCheckpoint, inspect, quantize } from "../../src/index.ts";
import {
  absent,
  calibrationText,
  perplexityOf,
  quantizeLikeReference,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

const model = "stories260K";
const windows = 40;
const inFolder = temporaryFolder();

async function quantizeTo(scheme: string, out: string): Promise<string> {
  const calibration = calibrationText(model);
  return quantizeLikeReference(model, {
    method: "rtn",
    scheme,
    out: inFolder(out),
    ...(scheme.includes("a8-") ? { calibration, samples: 16 } : {}),
  });
}

describe.skipIf(absent)(`8-bit weights and activations on a real model${absent}`, () => {
  test.each([
    ["w8-narrowa8", 1.02],
    ["w8-narrowa8-static", 1.05],
    ["w8-narrowa8-integer", 1.1],
    ["w8a8", 1.02],
  ])("%s: perplexity within a factor of %d of the original's", async (scheme, factor) => {
    const made = await quantizeTo(scheme, scheme);
    const perplexity = await perplexityOf(made, model, windows);
    const original = await perplexityOf(shared(`models/${model}`), model, windows);
    expect(perplexity).toBeLessThan(factor * original);
    expect((await inspect(made)).quantization?.scheme).toBe(scheme);
  });

  test("decoded weights lose the rounding of activations, and nothing else", async () => {
    const made = await quantizeTo("w8-narrowa8-integer", "packed");
    await exportCheckpoint(made, { format: "hf", out: inFolder("decoded") });
    const plain = await quantizeTo("w8-narrow", "plain");
    const decoded = await perplexityOf(inFolder("decoded"), model, windows);
    expect(decoded / (await perplexityOf(plain, model, windows))).toBeCloseTo(1, 5);
  });

  test("fixed activations without calibration text are refused", async () => {
    const attempt = quantize(shared(`models/${model}`), {
      method: "rtn",
      scheme: "w8-narrowa8-integer",
      out: inFolder("refused"),
    });
    await expect(attempt).rejects.toThrow("the scheme w8-narrowa8-integer needs calibration text");
  });
});
