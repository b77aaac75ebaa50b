import {
  type ActivationParameters,
  isFixed,
  type LayerActivations,
} from "../quant/activation-grid.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { groupsPerRow, type Scheme, sparseWeights } from "../quant/scheme.ts";
import { expectSparseRows, type SparseRows, sparseNumberType } from "../quant/sparse-rows.ts";
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
 * Tensors of a packed linear: blocks; or codes, scales or a codebook, and zero points and input
 * scales if it has them.
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
  const { zeroPoint, codebook, levels } = scheme.grid;
  const entries: TensorEntry[] = [
    { name: `${module}.codes`, dtype: "u8", shape: [outFeatures, sizes.rowBytes] },
    codebook
      ? { name: `${module}.codebook`, dtype: "f16", shape: [outFeatures, levels] }
      : { name: `${module}.scales`, dtype: "f16", shape: [outFeatures, groups] },
  ];
  const name = `${module}.zeros`;
  if (zeroPoint === "integer") entries.push({ name, dtype: "u8", shape: [sizes.zeros] });
  if (zeroPoint === "float16") entries.push({ name, dtype: "f16", shape: [outFeatures, groups] });
  if (scheme.grid.inputScales) {
    entries.push({ name: `${module}.input_scales`, dtype: "f16", shape: [inFeatures] });
  }
  entries.push(...sparseEntries(module, { scheme, outFeatures, inFeatures }));
  const { activation } = scheme;
  if (isFixed(activation)) entries.push({ name: `${module}.input`, dtype: "f32", shape: [2] });
  if (activation?.mode === "integer")
    entries.push({ name: `${module}.output`, dtype: "f32", shape: [2] });
  return entries;
}

/** Tensors of the weights beside the codes. */
function sparseEntries(
  module: string,
  { scheme, outFeatures, inFeatures }: Pick<QTensor, "scheme" | "outFeatures" | "inFeatures">,
): TensorEntry[] {
  const count = sparseWeights(scheme, outFeatures, inFeatures);
  if (count === 0) return [];
  const dtype = sparseNumberType(inFeatures);
  return [
    { name: `${module}.sparse_counts`, dtype, shape: [outFeatures] },
    { name: `${module}.sparse_columns`, dtype, shape: [count] },
    { name: `${module}.sparse_values`, dtype: "f16", shape: [count] },
  ];
}

/** Writes a packed weight under the names of `quantizedEntries`. */
export async function writeQTensor(
  writer: TensorWriter,
  module: string,
  weight: QTensor,
): Promise<void> {
  const { blocks, codes, scales, zeros, inputScales, codebook, activations } = weight.parts;
  if (blocks) return writer.write(`${module}.blocks`, blocks);
  await writer.write(`${module}.codes`, codes);
  if (codebook) await writer.write(`${module}.codebook`, codebook);
  else await writer.write(`${module}.scales`, scales);
  if (zeros) await writer.write(`${module}.zeros`, zeros);
  if (inputScales) await writer.write(`${module}.input_scales`, inputScales);
  if (weight.parts.sparse) {
    const { counts, columns, values } = weight.parts.sparse;
    await writer.write(`${module}.sparse_counts`, counts);
    await writer.write(`${module}.sparse_columns`, columns);
    await writer.write(`${module}.sparse_values`, values);
  }
  for (const part of ["input", "output"] as const) {
    const parameters = activations?.[part];
    if (!parameters) continue;
    const { scale, zeroPoint } = parameters;
    await writer.write(`${module}.${part}`, Float32Array.of(scale, zeroPoint));
  }
}

/**
 * Reads the packed weight of a module as the configuration describes it.
 * @throws FormatError when a tensor is missing or has another dtype or shape, or sparse weights are
 *   not in order
 * @throws NumericError when a scale, a zero point or a value of a codebook is NaN or infinite
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
  const codebook = scheme.grid.codebook
    ? await readHalves(reader, `${name}.codebook`, "values")
    : undefined;
  const scales = codebook
    ? new Uint16Array()
    : await readHalves(reader, `${name}.scales`, "scales");
  const zeros = await readZeros(reader, `${name}.zeros`, scheme);
  const inputScales = await readInputScales(reader, `${name}.input_scales`, scheme);
  const activations = await readActivations(reader, name, scheme);
  const sparse = await readSparse(reader, name, module);
  const parts = { codes, scales, zeros, inputScales, codebook, sparse, activations };
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
  return grid.inputScales ? readHalves(reader, name, "scales") : undefined;
}

async function readSparse(
  reader: TensorReader,
  name: string,
  module: QuantizedModule,
): Promise<SparseRows | undefined> {
  if (sparseEntries(name, module).length === 0) return undefined;
  const dtype = sparseNumberType(module.inFeatures);
  const counts = await reader.viewAs(`${name}.sparse_counts`, dtype);
  const columns = await reader.viewAs(`${name}.sparse_columns`, dtype);
  const values = await readHalves(reader, `${name}.sparse_values`, "values");
  const sparse = { counts, columns, values };
  try {
    expectSparseRows(sparse, module.inFeatures);
  } catch (error) {
    if (!(error instanceof ShapeError)) throw error;
    throw new FormatError(`module ${quoteName(name)}: ${error.message}`, {
      hint: "the checkpoint is damaged; make it again",
      cause: error,
    });
  }
  return sparse;
}

async function readHalves(reader: TensorReader, name: string, what: string): Promise<Uint16Array> {
  const halves = await reader.viewAs(name, "f16");
  expectFinite(name, what, halves);
  return halves;
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
  return readHalves(reader, name, "zero points");
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
