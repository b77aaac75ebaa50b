import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { evaluate, quantize } from "../../src/index.ts";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { readFloatTensor } from "../../src/formats/read-float-tensor.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

let folder = "";
let text = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-omniquant-"));
  text = join(folder, "text.txt");
  const calibration = new URL("../../builtin/text/calibration.txt", import.meta.url);
  writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 400));
});
afterAll(() => rmSync(folder, { recursive: true }));

const windows = { samples: 4, window: 24 };

// A bias of a norm moves only where shifts are learned; in a mixture gates are scaled with a norm.
test.each([
  [
    "llama-biases",
    ["model.layers.0.input_layernorm.weight", "model.layers.0.self_attn.q_proj.bias"],
  ],
  ["opt", ["model.decoder.layers.0.self_attn_layer_norm.bias", "model.decoder.layers.0.fc1.bias"]],
  ["mixtral", ["model.layers.0.block_sparse_moe.gate.weight"]],
])(
  "%s: scales and shifts end in what is written, and the model stays what it was",
  async (modelCase, names) => {
    const tiny = await writeTinyCheckpoint({ modelCase });
    const out = join(folder, modelCase);
    const { record } = await quantize(tiny.path, {
      method: "omniquant",
      scheme: "w8g16a4",
      options: { epochs: 12, transformationLearningRate: 0.01 },
      calibration: text,
      ...windows,
      out,
    });
    for (const { relativeError } of record.linears) expect(relativeError).toBeLessThan(0.05);
    const [written, original] = [await openCheckpoint(out), await openCheckpoint(tiny.path)];
    for (const name of names) {
      const [after, before] = [
        await readFloatTensor(written, name),
        await readFloatTensor(original, name),
      ];
      expect(after.values, name).not.toEqual(before.values);
    }
    await written.close();
    await original.close();
    const options = { text, window: 24, maxWindows: 4, speedTokens: 0 };
    const [made, float] = [await evaluate(out, options), await evaluate(tiny.path, options)];
    // Rounded inputs may send tokens of a mixture to other experts.
    expect(made.loss.mean / float.loss.mean).toBeCloseTo(1, 1);
    await tiny.remove();
  },
);
