import type { Backend } from "../../backend/backend.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import type { BlockScheme, PlanarScheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { Prng } from "../../util/prng.ts";
import { type FloatStorage, isFloatStorage, schemeOfStorage } from "../storage.ts";

/* Weights for timing: their bytes are random, their scales small, so that all products are finite. */

const poolBytes = 1 << 20;
/** 2⁻⁷ as float16, small enough for all codes. */
const smallHalf = 0x2000;

/** Makes weights whose bytes come from one pool: making them costs a copy. */
export class RandomWeights {
  private readonly random = new Prng(1);
  private readonly pool = this.makePool(() => Math.floor(this.random.uniform() * 2 ** 32));
  /** Floats of either 16-bit dtype that are below 1 in magnitude. */
  private readonly halves = this.makePool(
    () => (0x2c00 + this.random.below(0x400)) * 65537 + this.random.below(2) * 0x80008000,
  );

  /** A weight `[outFeatures, inFeatures]` as layers hold it. */
  make(
    backend: Backend,
    storage: string,
    outFeatures: number,
    inFeatures: number,
  ): QTensor | Tensor {
    if (isFloatStorage(storage)) return this.floats(backend, storage, [outFeatures, inFeatures]);
    const scheme = schemeOfStorage(storage);
    return scheme.blocks
      ? this.blocks(scheme, outFeatures, inFeatures)
      : this.codes(scheme, outFeatures, inFeatures);
  }

  /** A tensor of small values. */
  floats(backend: Backend, dtype: FloatStorage, shape: readonly number[]): Tensor {
    const count = shape.reduce((product, n) => product * n, 1);
    if (dtype === "f32") {
      const values = Float32Array.from({ length: 4096 }, () => this.random.normal() / 32);
      const array = new Float32Array(count);
      for (let at = 0; at < count; at += values.length) {
        array.set(values.subarray(0, Math.min(values.length, count - at)), at);
      }
      return Tensor.from(backend, dtype, shape, array);
    }
    const array = new Uint16Array(count);
    this.fill(new Uint8Array(array.buffer), this.halves);
    return Tensor.from(backend, dtype, shape, array);
  }

  private codes(scheme: PlanarScheme, outFeatures: number, inFeatures: number): QTensor {
    const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
    const codes = this.fill(new Uint8Array(sizes.codes), this.pool);
    // A byte holds five trits: 243 values.
    if (scheme.packing.packing === "trits5") for (let i = 0; i < codes.length; i++) codes[i] %= 243;
    const halves = (bytes: number): Uint16Array => new Uint16Array(bytes / 2).fill(smallHalf);
    const zeros =
      scheme.grid.zeroPoint === "float16" ? halves(sizes.zeros) : this.packedZeros(sizes);
    return new QTensor(scheme, outFeatures, inFeatures, {
      codes,
      scales: halves(sizes.scales),
      zeros: sizes.zeros > 0 ? zeros : null,
      ...(sizes.codebook > 0 && { codebook: halves(sizes.codebook) }),
      activations: null,
    });
  }

  private packedZeros({ zeros }: { readonly zeros: number }): Uint8Array {
    return new Uint8Array(zeros).fill(0x55);
  }

  private blocks(scheme: BlockScheme, outFeatures: number, inFeatures: number): QTensor {
    const { bytes: blockBytes, scaleAt, offsetAt } = scheme.blocks;
    const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
    const bytes = this.fill(new Uint8Array(sizes.all), this.pool);
    const view = new DataView(bytes.buffer);
    for (let at = 0; at < bytes.length; at += blockBytes) {
      view.setUint16(at + scaleAt, smallHalf, true);
      if (offsetAt !== null) view.setUint16(at + offsetAt, smallHalf, true);
    }
    return QTensor.ofBlocks(scheme, outFeatures, inFeatures, bytes);
  }

  private makePool(draw: () => number): Uint8Array {
    const words = new Uint32Array(poolBytes / 4);
    for (let i = 0; i < words.length; i++) words[i] = draw();
    return new Uint8Array(words.buffer);
  }

  /** Fills bytes from the pool, beginning somewhere, at an even place. */
  private fill(bytes: Uint8Array, pool: Uint8Array): Uint8Array {
    let from = 2 * this.random.below(pool.length / 2);
    for (let at = 0; at < bytes.length; from = 0) {
      const part = pool.subarray(from, from + Math.min(pool.length - from, bytes.length - at));
      bytes.set(part, at);
      at += part.length;
    }
    return bytes;
  }
}
