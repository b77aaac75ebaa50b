import type { Checkpoint } from "../../../formats/checkpoint.ts";
import { readQTensor } from "../../../formats/fewbit-format.ts";
import {
  type QuantizedModule,
  readQuantizationConfig,
} from "../../../formats/quantization-config.ts";
import { readFloatTensor } from "../../../formats/read-float-tensor.ts";
import { openAnyCheckpoint } from "../../../runtime/open-checkpoint.ts";
import { FormatError, throwIfCancelled } from "../../../util/errors.ts";
import type { ExportDType } from "../export-format.ts";
import { narrow } from "../narrow.ts";

/** What was compared with the source. */
export interface MlxVerification {
  /** Packed weights and other tensors that were read again. */
  readonly tensors: number;
  /** Packed weights with the float32 value that they have in the source, to the bit. */
  readonly sameWeights: number;
  /** Packed weights whose value is another one, because a bias was rounded. */
  readonly otherWeights: number;
}

/** What was written, and of what. */
export interface WrittenMlx {
  readonly source: Checkpoint;
  readonly modules: ReadonlyMap<string, QuantizedModule>;
  /** Number of rounded biases of a module where any was. */
  readonly rounded: ReadonlyMap<string, number>;
  /** Names of the tensors that are not packed. */
  readonly plain: readonly string[];
  readonly dtype: ExportDType;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads an export as a checkpoint of MLX and compares it with the source: packed weights value by
 * value, all other tensors bit for bit. Signs of zeros are not compared.
 * @throws FormatError where a weight has another value that was not to be rounded
 */
export async function verifyMlx(out: string, planned: WrittenMlx): Promise<MlxVerification> {
  const { source, modules, rounded, plain, dtype, signal } = planned;
  const written = await openAnyCheckpoint(out);
  try {
    let [sameWeights, otherWeights] = [0, 0];
    for (const name of modules.keys()) {
      throwIfCancelled(signal);
      const before = await decode(source, name);
      const other = countOthers(before, await decode(written, name));
      if (other > 0 && !rounded.has(name)) throw unlike(out, `${other} weights of ${name} are`);
      sameWeights += before.length - other;
      otherWeights += other;
    }
    for (const name of plain) {
      throwIfCancelled(signal);
      const { values } = await readFloatTensor(source, name);
      await expectStored(written, name, narrow(name, values, dtype));
    }
    return { tensors: modules.size + plain.length, sameWeights, otherWeights };
  } finally {
    await written.close();
  }
}

/** Values of a packed weight, or of one that no scheme holds and the importer decodes. */
async function decode(checkpoint: Checkpoint, name: string): Promise<Float32Array> {
  const module = readQuantizationConfig(checkpoint.config)?.modules.get(name);
  if (module) return (await readQTensor(checkpoint, name, module)).dequantize();
  return (await readFloatTensor(checkpoint, `${name}.weight`)).values;
}

function countOthers(before: Float32Array, after: Float32Array): number {
  if (before.length !== after.length) return before.length;
  let count = 0;
  for (let i = 0; i < before.length; i++) if (before[i] !== after[i]) count++;
  return count;
}

async function expectStored(
  written: Checkpoint,
  name: string,
  expected: Float32Array | Uint16Array,
): Promise<void> {
  const { begin, end } = written.info(name);
  const meant = new Uint8Array(expected.buffer, expected.byteOffset, expected.byteLength);
  const found = new Uint8Array(end - begin);
  await written.readInto(name, found, 0);
  const isSame = found.length === meant.length && found.every((byte, i) => byte === meant[i]);
  if (!isSame) throw unlike(written.path, `tensor ${name} is`);
}

function unlike(path: string, what: string): FormatError {
  return new FormatError(`${path}: ${what} not what was to be written`, {
    hint: "the disk or the program is at fault; export it again",
  });
}
