import type { DerivedTensor, FoldedRotation } from "../nn/model-rotation.ts";
import { type ArrayOf, bytesPerElement, type DType } from "../tensor/dtype.ts";
import { elementCount } from "../tensor/shape.ts";
import { fitHalves } from "../util/fit-halves.ts";
import { floatsToBfloats } from "../util/half.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { readFloatRows, readFloatTensor } from "./read-float-tensor.ts";
import type { TensorInfo } from "./safetensors-header.ts";
import { fromStoredForm, toStoredForm, turnedShape } from "./tensor-forms.ts";
import { expectDType, expectInside, type WeightFile } from "./weight-file.ts";

/** Values that are made at a time, where rows can be made by themselves. */
const pieceValues = 2 ** 20;

/**
 * One tensor that is computed from those of a checkpoint when it is read, in the form in which the
 * tensor that it is made of is stored: some rows at a time, or whole, which is kept until its last
 * byte was read. The files stay whose they are.
 */
export class DerivedFile implements WeightFile {
  readonly path: string;
  readonly stamp = "";
  readonly sizeBytes: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly source: Checkpoint;
  private readonly own: TensorInfo;
  private readonly derived: DerivedTensor;
  private readonly rotation: FoldedRotation;
  private vectors: Promise<readonly Float32Array[]> | null = null;
  private whole: Promise<Uint8Array> | null = null;

  /** @throws FormatError when the checkpoint has not what the tensor is made of */
  constructor(source: Checkpoint, name: string, derived: DerivedTensor, rotation: FoldedRotation) {
    const { shape, dtype: stored } = source.info(derived.from);
    const keeps = derived.keepsDType && (stored === "f16" || stored === "bf16");
    const dtype = keeps ? stored : "f32";
    const end = elementCount(shape) * bytesPerElement(dtype);
    this.source = source;
    this.derived = derived;
    this.rotation = rotation;
    this.own = { name, dtype, shape, begin: 0, end };
    this.path = source.fileOf(derived.from);
    this.sizeBytes = end;
    this.tensors = new Map([[name, this.own]]);
  }

  info(): TensorInfo {
    return this.own;
  }

  async viewAs<D extends DType>(_: string, dtype: D): Promise<ArrayOf[D]> {
    expectDType(this.own, dtype);
    const bytes = new Uint8Array(this.own.end);
    await this.readInto(this.own.name, bytes, 0);
    const made = dtype === "f32" ? new Float32Array(bytes.buffer) : new Uint16Array(bytes.buffer);
    return made as ArrayOf[D];
  }

  async readInto(_: string, into: Uint8Array, byteOffset: number): Promise<void> {
    const end = byteOffset + into.length;
    expectInside(this.own, byteOffset, into.length);
    const form = this.source.forms.get(this.derived.from);
    const byRows = this.derived.turns.every(({ across }) => across === null);
    if (!byRows || form) {
      this.whole ??= this.makeWhole();
      into.set((await this.whole).subarray(byteOffset, end));
      if (end === this.own.end) this.whole = null;
      return;
    }
    const width = this.own.shape.at(-1) ?? 1;
    const rowBytes = width * bytesPerElement(this.dtype);
    const rows = Math.max(1, Math.floor(pieceValues / width));
    const last = Math.ceil(end / rowBytes);
    for (let first = Math.floor(byteOffset / rowBytes); first < last; first += rows) {
      const made = await this.makeRows(first, Math.min(last, first + rows));
      const skipped = Math.max(0, byteOffset - first * rowBytes);
      const at = first * rowBytes + skipped - byteOffset;
      into.set(made.subarray(skipped, skipped + into.length - at), at);
    }
  }

  /** Nothing: the files are closed by who opened them. */
  async close(): Promise<void> {}

  private get dtype(): DType {
    return this.own.dtype as DType;
  }

  private async makeRows(first: number, end: number): Promise<Uint8Array> {
    const isRow = this.own.shape.length < 2;
    const { source, derived } = this;
    const values = isRow
      ? (await readFloatTensor(source, derived.from)).values
      : await readFloatRows(source, derived.from, first, end);
    await this.rotation.change(values, derived, await this.readVectors());
    return this.narrowed(values);
  }

  private async makeWhole(): Promise<Uint8Array> {
    const { from } = this.derived;
    const form = this.source.forms.get(from);
    const { values, shape } = await readFloatTensor(this.source, from);
    const computed = fromStoredForm(values, shape, form);
    await this.rotation.change(computed, this.derived, await this.readVectors());
    return this.narrowed(toStoredForm(computed, turnedShape(shape, form), form));
  }

  private readVectors(): Promise<readonly Float32Array[]> {
    const read = async (name: string): Promise<Float32Array> => {
      const { values, shape } = await readFloatTensor(this.source, name);
      return fromStoredForm(values, shape, this.source.forms.get(name));
    };
    this.vectors ??= Promise.all(this.derived.vectors.map(read));
    return this.vectors;
  }

  private narrowed(values: Float32Array): Uint8Array {
    const { name, dtype } = this.own;
    const hint = "take the original in bfloat16 or float32";
    const made =
      dtype === "f16"
        ? fitHalves(values, { what: `values of ${name}, rotated,`, hint })
        : dtype === "bf16"
          ? floatsToBfloats(values)
          : values;
    return new Uint8Array(made.buffer, made.byteOffset, made.byteLength);
  }
}
