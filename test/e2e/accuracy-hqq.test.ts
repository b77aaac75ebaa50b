import { describe, expect, test } from "vitest";
import { exportCheckpoint } from "../../src/index.ts";
import { absent, perplexityOf, quantizeLikeReference, temporaryFolder } from "./shared-models.ts";

const model = "stories260K";
const windows = 40;
const inFolder = temporaryFolder();

describe.skipIf(absent)(`hqq on a real model${absent}`, () => {
  test("3 bits: a lower perplexity than rtn with integer zero points", async () => {
    const made = await quantizeLikeReference(model, {
      method: "hqq",
      scheme: "w3g64-floatzero",
      out: inFolder("hqq"),
    });
    const plain = await quantizeLikeReference(model, {
      method: "rtn",
      scheme: "w3g64",
      out: inFolder("rtn"),
    });
    const perplexity = await perplexityOf(made, model, windows);
    expect(perplexity).toBeLessThan(0.9 * (await perplexityOf(plain, model, windows)));
  });

  test("packed with fractional zero points = decoded, to 1e-3", async () => {
    const packed = await quantizeLikeReference(model, {
      method: "hqq",
      scheme: "w4g32-floatzero",
      out: inFolder("packed"),
    });
    await exportCheckpoint(packed, { format: "hf", out: inFolder("decoded") });
    const perplexity = await perplexityOf(packed, model, windows);
    const decoded = await perplexityOf(inFolder("decoded"), model, windows);
    expect(Math.abs(perplexity / decoded - 1)).toBeLessThan(1e-3);
  });

  test("a scheme with zero points of another kind is refused, and the fitting one named", async () => {
    const attempt = quantizeLikeReference(model, {
      method: "hqq",
      scheme: "w4g64-sym",
      out: inFolder("refused"),
    });
    await expect(attempt).rejects.toMatchObject({
      message: "HQQ does not support the scheme w4g64-sym",
      hint: "use w4g64-floatzero",
    });
  });
});
