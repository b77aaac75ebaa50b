import { type ArrayOf, bytesPerElement, type DType } from "../../tensor/dtype.ts";
import { elementCount } from "../../tensor/shape.ts";
import { FormatError } from "../../util/errors.ts";
import { quantizedEntries } from "../fewbit-format.ts";
import type { QuantizedModule } from "../quantization-config.ts";
import { layerKind } from "../quantization-config.ts";
import type { TensorEntry, TensorInfo } from "../safetensors-header.ts";
import { expectDType, expectInside, type WeightFile } from "../weight-file.ts";
import { quoteName } from "../wording.ts";
import type { ForeignWeight } from "./foreign-container.ts";

/** How a module of another program stands in a checkpoint. */
export function describeWeight({
  scheme,
  outFeatures,
  inFeatures,
}: ForeignWeight): QuantizedModule | null {
  return scheme && { kind: layerKind(scheme), scheme, outFeatures, inFeatures };
}

/**
 * The tensors that one module of a foreign container is to fewbit: those of its scheme, or the
 * decoded weight. They are made when they are read, and kept while they are in use elsewhere.
 */
export class ForeignFile implements WeightFile {
  readonly path: string;
  readonly stamp = "";
  readonly sizeBytes: number;
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  private readonly module: string;
  private readonly weight: ForeignWeight;
  private readonly packed: QuantizedModule | null;
  private made: WeakRef<Map<string, Uint8Array>> | null = null;
  /** All that was made, as long as a view of some of it is in use. */
  private readonly inUse = new WeakMap<ArrayBufferView, Map<string, Uint8Array>>();

  /**
   * @param path the file that holds the module, for errors
   * @param storedBytes bytes that the module takes there
   */
  constructor(
    path: string,
    module: string,
    weight: ForeignWeight,
    { storedBytes, type, decoded }: { storedBytes: number; type: string; decoded: boolean },
  ) {
    this.path = path;
    this.module = module;
    this.weight = weight;
    this.packed = decoded ? null : describeWeight(weight);
    const { outFeatures, inFeatures } = weight;
    const whole = {
      name: `${module}.weight`,
      dtype: "f32",
      shape: [outFeatures, inFeatures],
    } as const;
    const entries = this.packed ? quantizedEntries(module, this.packed) : [whole];
    const stored = this.packed ? undefined : { type, bytes: storedBytes };
    this.tensors = new Map(entries.map((entry) => [entry.name, infoOf(entry, stored)]));
    this.sizeBytes = storedBytes;
  }

  info(name: string): TensorInfo {
    const found = this.tensors.get(name);
    if (found) return found;
    throw new FormatError(`${this.path} has no tensor ${quoteName(name)}`);
  }

  async viewAs<D extends DType>(name: string, dtype: D): Promise<ArrayOf[D]> {
    const info = this.info(name);
    expectDType(info, dtype);
    const made = await this.makeOnce();
    const bytes = made.get(name) as Uint8Array;
    const isAligned = bytes.byteOffset % bytesPerElement(dtype) === 0;
    const { buffer, byteOffset, byteLength } = isAligned ? bytes : bytes.slice();
    const count = byteLength / bytesPerElement(dtype);
    const view =
      dtype === "u8"
        ? new Uint8Array(buffer, byteOffset, count)
        : dtype === "f32"
          ? new Float32Array(buffer, byteOffset, count)
          : new Uint16Array(buffer, byteOffset, count);
    this.inUse.set(view, made);
    return view as ArrayOf[D];
  }

  async readInto(name: string, into: Uint8Array, byteOffset: number): Promise<void> {
    expectInside(this.info(name), byteOffset, into.length);
    const bytes = (await this.makeOnce()).get(name) as Uint8Array;
    into.set(bytes.subarray(byteOffset, byteOffset + into.length));
  }

  /** Nothing: the files are closed by who opened them. */
  async close(): Promise<void> {}

  private async makeOnce(): Promise<Map<string, Uint8Array>> {
    let made = this.made?.deref();
    if (!made) {
      made = await this.make();
      this.made = new WeakRef(made);
    }
    return made;
  }

  private async make(): Promise<Map<string, Uint8Array>> {
    const { module, packed, weight } = this;
    if (!packed) return new Map([[`${module}.weight`, bytesOf(await weight.decode())]]);
    const { parts } = await weight.pack();
    const made = new Map<string, Uint8Array>();
    for (const [part, array] of Object.entries(parts)) {
      if (!ArrayBuffer.isView(array)) continue;
      const name = part === "inputScales" ? "input_scales" : part;
      made.set(`${module}.${name}`, bytesOf(array as Uint8Array));
    }
    return made;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

function infoOf(entry: TensorEntry, stored: TensorInfo["stored"]): TensorInfo {
  const end = elementCount(entry.shape) * bytesPerElement(entry.dtype);
  return { ...entry, begin: 0, end, ...(stored && { stored }) };
}
