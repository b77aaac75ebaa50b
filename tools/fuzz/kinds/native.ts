import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Addon } from "../../../src/kernels/native/addon.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../../src/kernels/native/native-backend.ts";
import type { KernelName } from "../../../src/backend/kernels.ts";
import { bindings } from "../../../src/kernels/native/bindings/index.ts";
import { FewbitError } from "../../../src/util/errors.ts";
import type { Kind } from "../kind.ts";
import type { Mutator } from "../mutator.ts";
import { hostileNumbers } from "../hostile-values.ts";

const sizes: readonly number[] = [
  ...hostileNumbers,
  0,
  1,
  2,
  4,
  8,
  16,
  16,
  32,
  64,
  64,
  128,
  256,
  1024,
  4096,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  2 ** 30,
  2 ** 33,
  2 ** 40,
  2 ** 61,
  2 ** 62,
  -16,
]; // prettier-ignore

const makers = [Float32Array, Int32Array, Uint8Array, Uint16Array, Float64Array, Int8Array];

function hostileBuffer(mutator: Mutator): unknown {
  const { prng } = mutator;
  if (prng.below(10) === 0)
    return mutator.pick([null, null, undefined, 5, "x", [], {}, new ArrayBuffer(8)]);
  const length = mutator.pick([0, 1, 2, 4, 16, 64, 64, 256, 256, 1024, 4096]);
  const array = new (mutator.pick(makers))(length);
  if (prng.below(3) > 0) for (let i = 0; i < array.length; i++) array[i] = mutator.pick(sizes);
  return array;
}

/** Raw calls of the addon: it refuses or works, and the process lives. */
export const addon: Kind = {
  id: "addon",
  title: "raw calls of the native addon",
  open: async () => {
    if (!nativeAvailability().available) return async () => undefined;
    const path =
      process.env.FEWBIT_ADDON ??
      fileURLToPath(new URL("../../../build/fewbit.node", import.meta.url));
    const native = createRequire(import.meta.url)(path) as Addon;
    const level = native.levels[native.levels.length - 1].name;
    const handle = native.openQueue(level, 2, new Int32Array(1));
    const held: unknown[] = [];
    return async (mutator) => {
      const call = mutator.prng.below(20);
      const number = mutator.pick(sizes);
      try {
        if (call === 0) native.allocate(number);
        else if (call === 1) native.mapFile(number, mutator.pick(sizes));
        else if (call === 2) {
          // A thread takes a quarter of a megabyte; hundreds are what was asked for.
          const threads = number > 16 && number <= 1024 ? 16 : number;
          native.closeQueue(native.openQueue(level, threads, new Int32Array(1)));
        } else if (call === 3) native.drain({});
        else {
          const id = mutator.prng.below(native.ops.length);
          const op = native.ops[id];
          const values = [
            ...Array.from({ length: op.buffers }, () => hostileBuffer(mutator)),
            ...Array.from({ length: op.sizes }, () => mutator.pick(sizes)),
            ...Array.from({ length: op.reals }, () => mutator.pick(sizes)),
          ];
          mutator.changes.push(`${op.name} ${values.slice(op.buffers).join(" ")}`);
          held.push(values);
          native.enqueue(handle, id, ...(values as number[]));
          native.drain(handle);
          held.length = 0;
        }
      } catch (cause) {
        // The addon throws plain errors with a sentence; the library makes typed ones of them.
        if (!(cause instanceof Error) || cause.constructor !== Error) throw cause;
        throw new FewbitError("BACKEND", cause.message, { cause });
      }
    };
  },
};

const dtypes = ["f32", "f16", "bf16", "f64", "i32", "u8", "i8"] as const;

/** Kernels of the native backend, with views that do not fit together. */
export const kernels: Kind = {
  id: "kernels",
  title: "kernels of the native backend",
  open: async () => {
    if (!nativeAvailability().available) return async () => undefined;
    const backend = createNativeBackend({ threads: 2 });
    return async (mutator) => {
      const binding = mutator.pick(bindings);
      const side = mutator.pick([1, 2, 4, 8]);
      const view = (): unknown => {
        if (mutator.prng.below(12) === 0) return null;
        const dtype = mutator.prng.below(3) > 0 ? "f32" : mutator.pick(dtypes);
        const rank = 1 + mutator.prng.below(4);
        const shape = Array.from({ length: rank }, () =>
          mutator.prng.below(6) > 0 ? side : mutator.pick(sizes),
        );
        const length =
          mutator.prng.below(4) > 0 ? Math.min(4096, side ** rank) : mutator.pick([0, 1, 64, 4096]);
        return { dtype, shape, storage: backend.allocate(dtype, length) };
      };
      const args = binding.declaration.buffers.map(view);
      const numbers = (binding.declaration.reals ?? []).map(() => mutator.pick(sizes));
      mutator.changes.push(`${binding.kernel} side ${side}`);
      const kernel = backend.kernels[binding.kernel as KernelName] as (...all: unknown[]) => void;
      try {
        kernel(...args, ...numbers);
      } catch (cause) {
        // Null where a kernel takes a view is an error of types, which the compiler finds.
        if (cause instanceof TypeError) return;
        throw cause;
      }
      await backend.synchronize();
    };
  },
};
