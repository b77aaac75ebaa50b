import { cp, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { writableDType } from "../../src/run/output/copy-tensor.ts";
import { floatsToHalves, halvesToFloats } from "../../src/util/half.ts";

const builtin = fileURLToPath(new URL("../../builtin/model/", import.meta.url));

/** A power of two: numbers of 16 bits times it are exact. */
const loudness = 16;

/** Channels of the residual stream that stand out. */
export interface LoudChannels {
  /** In weights: in norms they are a sixteenth, and 16 times as large in what reads these. */
  readonly weights: readonly number[];
  /** In activations: the other way round. */
  readonly inputs: readonly number[];
}

/**
 * Writes the built-in model with its first block alone: small, with trained weights.
 * @param loud channels that stand out as in large models; the model computes the same
 */
export async function writeFirstBlock(path: string, loud?: LoudChannels): Promise<void> {
  await mkdir(path);
  for (const name of ["tokenizer.json", "tokenizer_config.json", "generation_config.json"]) {
    await cp(join(builtin, name), join(path, name));
  }
  const config = JSON.parse(await readFile(join(builtin, "config.json"), "utf8"));
  await writeFile(join(path, "config.json"), JSON.stringify({ ...config, num_hidden_layers: 1 }));
  const whole = await openCheckpoint(builtin);
  const tensors = [...whole.tensors.values()].filter(({ name }) => !/layers\.[1-9]/.test(name));
  const entries = tensors.map((info) => ({ ...info, dtype: writableDType(info) }));
  const writer = await CheckpointWriter.create(path, entries);
  for (const { name, begin, end } of tensors) {
    const bytes = new Uint8Array(end - begin);
    await whole.readInto(name, bytes, 0);
    const factor = loudFactor(name);
    if (loud && factor !== 1) {
      const rows = new Uint16Array(bytes.buffer);
      scaleChannels(rows, config.hidden_size, loud.weights, factor);
      scaleChannels(rows, config.hidden_size, loud.inputs, 1 / factor);
    }
    await writer.write(name, bytes);
  }
  await writer.finish();
  await whole.close();
}

/** What channels that stand out in weights are multiplied by. */
function loudFactor(name: string): number {
  if (/layernorm/.test(name)) return 1 / loudness;
  return /(?:q|k|v|gate|up)_proj/.test(name) ? loudness : 1;
}

/** Multiplies columns of rows of float16. */
function scaleChannels(
  rows: Uint16Array,
  width: number,
  channels: readonly number[],
  factor: number,
): void {
  const values = halvesToFloats(rows, new Float32Array(rows.length));
  for (let at = 0; at < values.length; at += width) {
    for (const channel of channels) values[at + channel] *= factor;
  }
  rows.set(floatsToHalves(values));
}
