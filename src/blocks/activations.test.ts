import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { quantize } from "../index.ts";
import { NumericError } from "../util/errors.ts";

/** Models whose hidden states are too large for float16 from the embedding or a block on. */
const models = [
  ["the embeddings", "model.embed_tokens.weight"],
  ["the outputs of model.layers.0", "model.layers.0.mlp.down_proj.weight"],
] as const;

let folder = "";
const written = new Map<string, TinyCheckpoint>();
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-activations-"));
  for (const [what, tensor] of models) {
    const edit = (name: string, values: Float32Array): void => {
      if (name === tensor) for (let i = 0; i < values.length; i++) values[i] *= 2 ** 24;
    };
    written.set(what, await writeTinyCheckpoint({ modelCase: "llama", edit }));
  }
});
afterAll(async () => {
  for (const { remove } of written.values()) await remove();
  rmSync(folder, { recursive: true });
});

describe.each(models)("activations that do not fit into float16: %s", (what) => {
  test.each([false, true])("are said to be those; on the disk: %s", async (cacheOnDisk) => {
    const out = join(folder, "out");
    const recipe = {
      method: "gptq",
      scheme: "w4g8",
      calibration: { selfGenerated: true, samples: 2, window: 8 },
      backend: "reference",
      cacheOnDisk,
      out,
    } as const;
    const { path = "" } = written.get(what) ?? {};
    const refused = quantize(path, { ...recipe, cacheDType: "f16" });
    await expect(refused).rejects.toThrow(NumericError);
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/reach \d\S+ and do not fit into float16.* is 65504$/),
      hint: expect.stringContaining("`cacheDType: f32`"),
      field: "cacheDType",
    });
    await expect(refused).rejects.toThrow(`activations (${what})`);
    expect(existsSync(out)).toBe(false);
    await quantize(path, { ...recipe, resume: "restart" });
    rmSync(out, { recursive: true });
  });
});
