import {
  type ActivationParameters,
  isFixed,
  type LayerActivations,
} from "../quant/activation-grid.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { groupsPerRow, type Scheme } from "../quant/scheme.ts";
import { expectShape } from "../tensor/shape.ts";
import { FormatError, NumericError, ShapeError } from "../util/errors.ts";
import type { ArrayOf, DType } from "../tensor/dtype.ts";
import { countNonFiniteBits } from "../util/half.ts";
import type { QuantizedModule } from "./quantization-config.ts";
import type { TensorEntry, TensorInfo } from "./safetensors.ts";
import { formatCount, quoteName } from "./wording.ts";

/** What packed weights are read from: a `Checkpoint` or a single `SafetensorsFile`. */
export interface TensorReader {
  /** @throws FormatError when there is no tensor of this name */
  info(name: string): TensorInfo;
  /** Returns a tensor that must be of the given dtype and will not be written. */
  viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]>;
}

/** What packed weights are written to: a `CheckpointWriter` or a `SafetensorsWriter`. */
export interface TensorWriter {
  write(name: string, data: ArrayBufferView): Promise<void>;
}

/**
 * Tensors of a packed linear: blocks; or codes, scales, and zero points and input scales if it has
 * them.
 */
export function quantizedEntries(
  module: string,
  { scheme, outFeatures, inFeatures }: Pick<QTensor, "scheme" | "outFeatures" | "inFeatures">,
): TensorEntry[] {
  const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
  if (scheme.blocks) {
    return [{ name: `${module}.blocks`, dtype: "u8", shape: [outFeatures, sizes.rowBytes] }];
  }
  const groups = groupsPerRow(scheme, inFeatures);
  const entries: TensorEntry[] = [
    { name: `${module}.codes`, dtype: "u8", shape: [outFeatures, sizes.rowBytes] },
    { name: `${module}.scales`, dtype: "f16", shape: [outFeatures, groups] },
  ];
  const name = `${module}.zeros`;
  const { zeroPoint } = scheme.grid;
  if (zeroPoint === "integer") entries.push({ name, dtype: "u8", shape: [sizes.zeros] });
  if (zeroPoint === "float16") entries.push({ name, dtype: "f16", shape: [outFeatures, groups] });
  if (scheme.grid.inputScales) {
    entries.push({ name: `${module}.input_scales`, dtype: "f16", shape: [inFeatures] });
  }
  const { activation } = scheme;
  if (isFixed(activation)) entries.push({ name: `${module}.input`, dtype: "f32", shape: [2] });
  if (activation?.mode === "integer")
    entries.push({ name: `${module}.output`, dtype: "f32", shape: [2] });
  return entries;
}

/** Writes a packed weight under the names of `quantizedEntries`. */
export async function writeQTensor(
  writer: TensorWriter,
  module: string,
  weight: QTensor,
): Promise<void> {
  const { blocks, codes, scales, zeros, inputScales, activations } = weight.parts;
  if (blocks) return writer.write(`${module}.blocks`, blocks);
  await writer.write(`${module}.codes`, codes);
  await writer.write(`${module}.scales`, scales);
  if (zeros) await writer.write(`${module}.zeros`, zeros);
  if (inputScales) await writer.write(`${module}.input_scales`, inputScales);
  for (const part of ["input", "output"] as const) {
    const parameters = activations?.[part];
    if (!parameters) continue;
    const { scale, zeroPoint } = parameters;
    await writer.write(`${module}.${part}`, Float32Array.of(scale, zeroPoint));
  }
}

/**
 * Reads the packed weight of a module as the configuration describes it.
 * @throws FormatError when a tensor is missing or has another dtype or shape
 * @throws NumericError when a scale or zero point is NaN or infinite
 */
export async function readQTensor(
  reader: TensorReader,
  name: string,
  module: QuantizedModule,
): Promise<QTensor> {
  const { scheme, outFeatures, inFeatures } = module;
  for (const entry of quantizedEntries(name, module)) expectEntry(reader, entry, scheme);
  if (scheme.blocks) return readBlocks(reader, name, module);
  const codes = await reader.viewAs(`${name}.codes`, "u8");
  const scales = await reader.viewAs(`${name}.scales`, "f16");
  const zeros = await readZeros(reader, `${name}.zeros`, scheme);
  expectFinite(`${name}.scales`, "scales", scales);
  const inputScales = await readInputScales(reader, `${name}.input_scales`, scheme);
  const activations = await readActivations(reader, name, scheme);
  const parts = { codes, scales, zeros, inputScales, activations };
  return new QTensor(scheme, outFeatures, inFeatures, parts);
}

async function readBlocks(
  reader: TensorReader,
  name: string,
  { scheme, outFeatures, inFeatures }: QuantizedModule,
): Promise<QTensor> {
  const blocks = await reader.viewAs(`${name}.blocks`, "u8");
  const weight = QTensor.ofBlocks(scheme, outFeatures, inFeatures, blocks);
  const { scales, offsets } = weight.blockScales();
  expectFinite(`${name}.blocks`, "scales", scales);
  if (offsets) expectFinite(`${name}.blocks`, "offsets", offsets);
  return weight;
}

async function readInputScales(
  reader: TensorReader,
  name: string,
  { grid }: Scheme,
): Promise<Uint16Array | undefined> {
  if (!grid.inputScales) return undefined;
  const scales = await reader.viewAs(name, "f16");
  expectFinite(name, "scales", scales);
  return scales;
}

async function readActivations(
  reader: TensorReader,
  name: string,
  { activation }: Scheme,
): Promise<LayerActivations | null> {
  if (!isFixed(activation)) return null;
  return {
    input: await readParameters(reader, `${name}.input`),
    output: activation?.mode === "integer" ? await readParameters(reader, `${name}.output`) : null,
  };
}

async function readParameters(reader: TensorReader, name: string): Promise<ActivationParameters> {
  const [scale, zeroPoint] = await reader.viewAs(name, "f32");
  const isCode = Number.isInteger(zeroPoint) && zeroPoint >= 0 && zeroPoint <= 255;
  if (scale > 0 && Number.isFinite(scale) && isCode) return { scale, zeroPoint };
  throw new NumericError(
    `tensor ${quoteName(name)}: expected a positive scale and a zero point from 0 to 255, ` +
      `got ${scale} and ${zeroPoint}`,
    { hint: "the checkpoint is damaged; make it again" },
  );
}

async function readZeros(
  reader: TensorReader,
  name: string,
  { grid }: Scheme,
): Promise<Uint8Array | Uint16Array | null> {
  if (grid.zeroPoint === "none") return null;
  if (grid.zeroPoint === "integer") return reader.viewAs(name, "u8");
  const zeros = await reader.viewAs(name, "f16");
  expectFinite(name, "zero points", zeros);
  return zeros;
}

function expectEntry(reader: TensorReader, entry: TensorEntry, scheme: Scheme): void {
  const { shape } = reader.info(entry.name);
  try {
    expectShape(`tensor ${quoteName(entry.name)} of scheme ${scheme.id}`, shape, entry.shape);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new FormatError(error.message, {
      hint: "config.json and the weight files belong to different checkpoints",
      cause: error,
    });
  }
}

function expectFinite(name: string, what: string, halves: Uint16Array): void {
  const count = countNonFiniteBits(halves, 0x7c00);
  if (count === 0) return;
  throw new NumericError(
    `tensor ${quoteName(name)} has ${formatCount(count)} NaN or infinite ${what} ` +
      `among its ${formatCount(halves.length)}`,
    { hint: "the checkpoint is damaged; make it again" },
  );
}
