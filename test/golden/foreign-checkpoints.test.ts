import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import { CheckpointWeights } from "../../src/formats/checkpoint-weights.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { QTensor } from "../../src/quant/q-tensor.ts";

interface Answers {
  readonly modules: Readonly<
    Record<string, { readonly shape: number[]; readonly sha256: string; readonly first: number[] }>
  >;
}

const backend = createReferenceBackend();
const folder = new URL("checkpoints/", import.meta.url);

for (const name of readdirSync(folder)) {
  const path = new URL(`${name}/`, folder).pathname;
  const answers = JSON.parse(readFileSync(`${path}decoded.json`, "utf8")) as Answers;

  for (const decoded of [false, true]) {
    test(`${name}, ${decoded ? "decoded" : "as it is"}: weights are those of the original tool`, async () => {
      const checkpoint = await openAnyCheckpoint(path, { decoded });
      const weights = new CheckpointWeights(backend, checkpoint, "stored");
      for (const [module, answer] of Object.entries(answers.modules)) {
        const weight = await weights.matrix(module);
        const values =
          weight instanceof QTensor ? weight.dequantize() : ((await weight.read()) as Float32Array);
        for (let i = 0; i < values.length; i++) values[i] += 0;
        const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
        expect([module, ...values.slice(0, 4)]).toEqual([module, ...answer.first]);
        expect(createHash("sha256").update(bytes).digest("hex"), module).toBe(answer.sha256);
      }
      await checkpoint.close();
    });
  }
}
