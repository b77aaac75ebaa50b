import { readQTensor } from "../../../formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../../formats/quantization-config.ts";
import { openAnyCheckpoint } from "../../../runtime/open-checkpoint.ts";
import type { Checkpoint } from "../../../formats/checkpoint.ts";
import type { QTensor } from "../../../quant/q-tensor.ts";
import { FormatError, throwIfCancelled } from "../../../util/errors.ts";
import { halvesToFloats } from "../../../util/half.ts";
import { integerLayer } from "./integer-layer.ts";
import type { ContainerPlan } from "./plan-container.ts";

/** What was compared with the source. */
export interface ContainerVerification {
  readonly tensors: number;
  /** Weights that are the same to the bit. */
  readonly sameWeights: number;
  /** Layers whose scales were rounded; null where none were. */
  readonly rounded: RoundedLayers | null;
}

/** How far rounded scales put weights off. */
export interface RoundedLayers {
  readonly layers: number;
  /** Of a weight from that of the source, over the largest of its layer. */
  readonly largestDifference: number;
  /** The layer that has it. */
  readonly worst: string;
}

/**
 * Reads what was written as a checkpoint of its container and compares it with the source: every
 * weight to the bit, in layers whose scales were rounded with the product of the rounded scale.
 * @param path the directory that was written
 * @throws FormatError where a weight is another one
 */
export async function verifyContainer(
  planned: ContainerPlan,
  path: string,
): Promise<ContainerVerification> {
  const { source, parts, options } = planned;
  const written = await openAnyCheckpoint(path);
  try {
    let sameWeights = 0;
    let rounded: RoundedLayers | null = null;
    for (const name of planned.forms.keys()) {
      throwIfCancelled(options.signal);
      const packed = await readPacked(source.checkpoint, name);
      const before = packed.dequantize();
      const after = (await readPacked(written, name)).dequantize();
      const isRounded = planned.rounded.has(name);
      expectEqual(isRounded ? withRoundedScales(packed) : before, after, `${path}: ${name}`);
      const compared = compare(before, after);
      sameWeights += compared.same;
      if (isRounded) rounded = addRounded(rounded, name, compared.difference);
    }
    for (const { name, module } of parts) {
      if (module === null) await expectSame(source.checkpoint, written, name);
    }
    return { tensors: parts.length, sameWeights, rounded };
  } finally {
    await written.close();
  }
}

function expectEqual(expected: Float32Array, found: Float32Array, what: string): void {
  let wrong = 0;
  while (wrong < expected.length && expected[wrong] === found[wrong]) wrong++;
  if (wrong === expected.length) return;
  throw new FormatError(
    `${what}: weight ${wrong} is ${found[wrong]}, expected ${expected[wrong]}`,
    {
      hint: "the disk or the program is at fault; export it again",
    },
  );
}

/** Counts equal weights; the largest difference is over the largest weight. */
function compare(
  before: Float32Array,
  after: Float32Array,
): { readonly same: number; readonly difference: number } {
  let [same, apart, largest] = [0, 0, 0];
  for (let i = 0; i < before.length; i++) {
    if (before[i] === after[i]) same++;
    apart = Math.max(apart, Math.abs(before[i] - after[i]));
    largest = Math.max(largest, Math.abs(before[i]));
  }
  return { same, difference: largest === 0 ? 0 : apart / largest };
}

function addRounded(before: RoundedLayers | null, name: string, difference: number): RoundedLayers {
  const layers = (before?.layers ?? 0) + 1;
  if (before && before.largestDifference >= difference) return { ...before, layers };
  return { layers, largestDifference: difference, worst: name };
}

/** Weights whose scales are rounded to float16, and whose integers are as they were. */
function withRoundedScales(weight: QTensor): Float32Array {
  const layer = integerLayer(weight);
  const out = new Float32Array(weight.outFeatures * weight.inFeatures);
  if (!layer) return out;
  const { affine, bases, inFeatures, groupColumns, groups } = layer;
  const units = halvesToFloats(layer.units);
  const codes = new Uint8Array(inFeatures);
  for (let row = 0, at = 0; row < layer.outFeatures; row++) {
    affine.readCodes(row, codes);
    for (let i = 0; i < inFeatures; i++, at++) {
      const group = row * groups + Math.floor(i / groupColumns);
      out[at] = units[group] * (affine.stride * codes[i] + bases[group]);
    }
  }
  return out;
}

async function readPacked(checkpoint: Checkpoint, name: string): Promise<QTensor> {
  const module = readQuantizationConfig(checkpoint.config)?.modules.get(name);
  if (!module) throw new FormatError(`${checkpoint.path}: ${name} is not packed`);
  return readQTensor(checkpoint, name, module);
}

const pieceBytes = 2 ** 22;

async function expectSame(before: Checkpoint, after: Checkpoint, name: string): Promise<void> {
  const { begin, end } = before.info(name);
  for (let at = 0; at < end - begin; at += pieceBytes) {
    const size = Math.min(pieceBytes, end - begin - at);
    const pieces = [new Uint8Array(size), new Uint8Array(size)];
    await before.readInto(name, pieces[0], at);
    await after.readInto(name, pieces[1], at);
    if (areSame(pieces[0], pieces[1])) continue;
    throw new FormatError(`${after.path}: tensor ${name} is not that of the source`);
  }
}

function areSame(a: Uint8Array, b: Uint8Array): boolean {
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}
