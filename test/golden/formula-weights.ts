import type { Backend } from "../../src/backend/backend.ts";
import type { DecoderConfig } from "../../src/models/decoder-config.ts";
import { expectedTensors, storedForms } from "../../src/models/decoder-tensors.ts";
import type { WeightSource } from "../../src/nn/weight-source.ts";
import { elementCount, type Shape } from "../../src/tensor/shape.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import {
  bfloatsToFloats,
  floatsToBfloats,
  floatsToHalves,
  halvesToFloats,
} from "../../src/util/half.ts";

/** How the golden models say their weights are stored. */
export type StorageName = "float32" | "float16" | "bfloat16";

/**
 * The pseudo-random numbers in [−1, 1) that tools/golden/make_models.py defines by a tensor's name.
 */
export function hashedValues(name: string, count: number): Float32Array {
  let fnv = 0x811c9dc5;
  for (const byte of new TextEncoder().encode(name)) fnv = Math.imul(fnv ^ byte, 0x01000193);
  const values = new Float32Array(count);
  for (let i = 0; i < count; i++) {
    let x = (fnv + Math.imul(i, 0x9e3779b9)) | 0;
    x = Math.imul(x ^ (x >>> 16), 0x85ebca6b);
    x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35);
    x ^= x >>> 16;
    values[i] = (x >>> 8) * 2 ** -23 - 1;
  }
  return values;
}

const tables = /(?:embed_tokens|embed_positions|embed_in|wte|wpe)\.weight$/;

/**
 * The weight of this name as it is stored, before it is rounded to its storage dtype; matrices as
 * `[out, in]`.
 */
export function formulaWeight(name: string, shape: Shape): Float32Array {
  const values = hashedValues(name, elementCount(shape));
  if (name.endsWith(".bias")) return values.map((v) => v * 0.25);
  if (shape.length === 1) return values.map((v) => 1 + v * 0.25);
  if (tables.test(name)) return values;
  const scale = Math.fround(2.5 / Math.sqrt(shape[1]));
  return values.map((v) => v * scale);
}

/** A checkpoint whose weights are computed by formula; 16-bit ones are handed out as stored. */
export function formulaSource(
  backend: Backend,
  config: DecoderConfig,
  storage: StorageName,
): WeightSource {
  const shapes = new Map(expectedTensors(config));
  const forms = storedForms(config);
  const matrix = async (module: string): Promise<Tensor> => {
    const name = `${module}.weight`;
    const shape = shapes.get(name) ?? [];
    const values = formulaWeight(name, shape);
    if (storage === "float32") return Tensor.from(backend, "f32", shape, values);
    if (storage === "float16") return Tensor.from(backend, "f16", shape, floatsToHalves(values));
    return Tensor.from(backend, "bf16", shape, floatsToBfloats(values));
  };
  return {
    has: (name) => shapes.has(name),
    shape: (name) => shapes.get(name) ?? [],
    async tensor(name) {
      const shape = shapes.get(name) ?? [];
      const stored = rounded(formulaWeight(name, shape), storage);
      const offset = forms.get(name)?.offset ?? 0;
      return Tensor.from(backend, "f32", shape, offset ? stored.map((w) => w + offset) : stored);
    },
    matrix,
    storedMatrix: matrix,
  };
}

function rounded(values: Float32Array, storage: StorageName): Float32Array {
  if (storage === "float16") return halvesToFloats(floatsToHalves(values));
  if (storage === "bfloat16") return bfloatsToFloats(floatsToBfloats(values));
  return values;
}
