import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { quantizedEntries, readQTensor } from "./fewbit-format.ts";
import { type QuantizedModule, readQuantizationConfig } from "./quantization-config.ts";
import { readFloatTensor } from "./read-float-tensor.ts";
import { fromStoredForm, transpose, turnedShape } from "./tensor-forms.ts";
import { formatCount, quoteName } from "./wording.ts";
import type { WeightSource } from "../nn/weight-source.ts";
import type { QTensor } from "../quant/q-tensor.ts";
import { Tensor } from "../tensor/tensor.ts";
import { NumericError } from "../util/errors.ts";
import { countNonFiniteBits } from "../util/half.ts";

/** What matrices are held as: 16 bits where they are stored so, or widened (to change them). */
export type WeightPrecision = "stored" | "float32";

/** Values that are looked at together. */
const pieceLength = 2 ** 21;

const weightSuffix = ".weight";

/** Weights of a checkpoint directory, plain or packed by fewbit. Every read goes to the disk. */
export class CheckpointWeights implements WeightSource {
  readonly backend: Backend;
  private readonly checkpoint: Checkpoint;
  private readonly precision: WeightPrecision;
  private readonly packed: ReadonlyMap<string, QuantizedModule>;

  /** @throws FormatError UnsupportedError when it is quantized in a way that cannot be read */
  constructor(backend: Backend, checkpoint: Checkpoint, precision: WeightPrecision) {
    this.backend = backend;
    this.checkpoint = checkpoint;
    this.precision = precision;
    this.packed = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
  }

  has(name: string): boolean {
    const module = this.packedModule(name);
    if (!module) return this.checkpoint.has(name);
    const base = name.slice(0, -weightSuffix.length);
    return quantizedEntries(base, module).every((entry) => this.checkpoint.has(entry.name));
  }

  shape(name: string): readonly number[] {
    const module = this.packedModule(name);
    if (module) return [module.outFeatures, module.inFeatures];
    return turnedShape(this.checkpoint.info(name).shape, this.checkpoint.forms.get(name));
  }

  async tensor(name: string): Promise<Tensor<"f32">> {
    const form = this.checkpoint.forms.get(name);
    if (form?.transposed) {
      const { shape, values } = await readFloatTensor(this.checkpoint, name);
      const computed = fromStoredForm(values, shape, form);
      return Tensor.from(this.backend, "f32", turnedShape(shape, form), computed);
    }
    const { shape } = this.checkpoint.info(name);
    return Tensor.fill(this.backend, "f32", shape, async (elements) => {
      await readFloatTensor(this.checkpoint, name, elements);
      fromStoredForm(elements, shape, form);
    });
  }

  async matrix(module: string): Promise<Tensor | QTensor> {
    const packed = this.packed.get(module);
    if (packed) return readQTensor(this.checkpoint, module, packed);
    if (this.precision === "stored") return this.storedMatrix(module);
    return this.tensor(module + weightSuffix);
  }

  async storedMatrix(module: string): Promise<Tensor | QTensor> {
    const packed = this.packed.get(module);
    if (packed) return readQTensor(this.checkpoint, module, packed);
    const name = module + weightSuffix;
    const { dtype, shape } = this.checkpoint.info(name);
    if (dtype !== "f16" && dtype !== "bf16") return this.tensor(name);
    const bits = await this.checkpoint.viewAs(name, dtype);
    expectFinite(name, await this.countNonFinite(name, bits, dtype), bits.length);
    const form = this.checkpoint.forms.get(name);
    const turned = form?.transposed ? transpose(bits, shape[0], shape[1]) : bits;
    return Tensor.from(this.backend, dtype, turnedShape(shape, form), turned);
  }

  /**
   * Where weights stream through, a matrix of this kind is a table of which few rows are used: it is
   * read in pieces, so that its pages do not become resident by being looked at.
   */
  private async countNonFinite(
    name: string,
    bits: Uint16Array,
    dtype: "f16" | "bf16",
  ): Promise<number> {
    const exponent = dtype === "f16" ? 0x7c00 : 0x7f80;
    if (this.precision === "stored") return countNonFiniteBits(bits, exponent);
    const piece = new Uint16Array(Math.min(bits.length, pieceLength));
    let count = 0;
    for (let at = 0; at < bits.length; at += piece.length) {
      const part = piece.subarray(0, Math.min(piece.length, bits.length - at));
      const bytes = new Uint8Array(part.buffer, 0, part.byteLength);
      await this.checkpoint.readInto(name, bytes, at * part.BYTES_PER_ELEMENT);
      count += countNonFiniteBits(part, exponent);
    }
    return count;
  }

  private packedModule(name: string): QuantizedModule | undefined {
    if (!name.endsWith(weightSuffix)) return undefined;
    return this.packed.get(name.slice(0, -weightSuffix.length));
  }
}

function expectFinite(name: string, count: number, length: number): void {
  if (count === 0) return;
  throw new NumericError(
    `tensor ${quoteName(name)} has ${formatCount(count)} NaN or infinite values ` +
      `among its ${formatCount(length)}`,
    { hint: "the checkpoint is damaged or its training diverged; download it again" },
  );
}
