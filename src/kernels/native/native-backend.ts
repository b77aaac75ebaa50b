import { availableParallelism } from "node:os";
import type { Backend } from "../../backend/backend.ts";
import { CpuMemory } from "../../backend/cpu-memory.ts";
import type { KernelName, Kernels, Storage } from "../../backend/kernels.ts";
import { allocateBuffer, expectMappedFiles, registerFileMapper } from "../../platform/node.ts";
import type { DType, TypedArray } from "../../tensor/dtype.ts";
import { viewArray, bytesPerElement } from "../../tensor/dtype.ts";
import { BackendError, UsageError } from "../../util/errors.ts";
import { referenceKernels } from "../reference/index.ts";
import { type Addon, loadAddon, type NativeLevel, type OpTime } from "./addon.ts";
import { bind } from "./binding.ts";
import { bindings } from "./bindings/index.ts";
import { layOut } from "./lay-out.ts";
import { NativeQueue } from "./queue.ts";

export { type NativeAvailability, nativeAvailability, type OpTime } from "./addon.ts";

/** How the native backend uses the machine. */
export interface NativeOptions {
  /**
   * Threads of the kernels; default `FEWBIT_THREADS`, else as many as a short measurement finds
   * useful.
   */
  readonly threads?: number;
  /** Instruction level; default `FEWBIT_LEVEL`, else the best that this CPU runs. */
  readonly level?: string;
}

/** The native backend, and how to end its threads before the process ends. */
export interface NativeBackend extends Backend {
  /**
   * Finishes the work, blocking, and returns where the executor's time went since the last call.
   * The first call returns nothing and starts the counting.
   */
  profile(): OpTime[];
  /** Finishes the work, then ends the threads; the backend must not be used any more. */
  close(): void;
}

/**
 * Makes a backend that runs C kernels on threads of its own; ops without one run the reference
 * kernel.
 * @throws BackendError when the addon is absent or does not load, or this CPU lacks the level
 * @throws UsageError when the number of threads is not a positive integer
 */
export function createNativeBackend(options: NativeOptions = {}): NativeBackend {
  const result = loadAddon();
  if (!("addon" in result)) {
    throw new BackendError(`native kernels are not available: ${result.reason}`, {
      hint: result.hint,
    });
  }
  const level = chooseLevel(result.addon.levels, options.level ?? process.env.FEWBIT_LEVEL);
  const threads = chooseThreads(result.addon, options.threads ?? process.env.FEWBIT_THREADS);
  registerFileMapper(result.addon);
  const queue = new NativeQueue(result.addon, level.name, threads);
  const memory = new CpuMemory();
  return {
    id: "native",
    description: `native (${level.title})`,
    level: level.name,
    threads,
    hasFastBfloat16: level.name === "amx",
    kernels: makeKernels(queue),
    allocate: (dtype, length) => memory.allocate(dtype, length),
    release: (storage) => memory.release(storage),
    adopt: (_dtype, array) => memory.adopt(array),
    view: (storage, dtype, offset, length) => memory.view(storage, dtype, offset, length),
    read: (storage, dtype, length) => readInOrder(queue, storage, dtype, length),
    readNow: (storage, _dtype, length) => {
      queue.drain();
      return (storage as TypedArray).slice(0, length);
    },
    host: async (storage, _dtype, length) => {
      await queue.synchronize();
      expectMappedFiles();
      return (storage as TypedArray).subarray(0, length);
    },
    synchronize: () => queue.synchronize(),
    prepare: (operand) => layOut(queue, level.lanes, operand),
    profile: () => queue.profile(),
    close: () => queue.close(),
  };
}

/** Copies in the queue's order: a buffer reused right after the call reads as it was. */
async function readInOrder(
  queue: NativeQueue,
  storage: Storage,
  dtype: DType,
  length: number,
): Promise<TypedArray> {
  const buffer = allocateBuffer(length * bytesPerElement(dtype), "a result");
  const copy = viewArray(dtype, buffer, 0, length);
  queue.run("copy", [copy, (storage as TypedArray).subarray(0, length)]);
  await queue.synchronize();
  expectMappedFiles();
  return copy;
}

function makeKernels(queue: NativeQueue): Kernels {
  const kernels = Object.entries(referenceKernels).map(([name, reference]) => {
    const binding = bindings.find(({ kernel }) => kernel === name);
    const inTurn = (...args: readonly unknown[]): void => {
      queue.drain();
      reference(...args);
    };
    return [name, binding ? bind(binding, queue, inTurn) : inTurn];
  });
  return Object.fromEntries(kernels) as Record<KernelName, unknown> as Kernels;
}

function chooseLevel(levels: readonly NativeLevel[], wanted: string | undefined): NativeLevel {
  const level = wanted ? levels.find(({ name }) => name === wanted) : levels.at(-1);
  if (level) return level;
  const names = levels.map(({ name }) => name).join(", ");
  throw new BackendError(`expected an instruction level of ${names}, got "${wanted}"`, {
    hint: "set FEWBIT_LEVEL to one of these, or leave it out",
  });
}

/** What the measurement found; the same for all backends of a process. */
let usefulThreads: number | undefined;

function chooseThreads(addon: Addon, wanted: number | string | undefined): number {
  if (wanted === undefined || wanted === "") {
    usefulThreads ??= addon.measureThreads(availableParallelism());
    return usefulThreads;
  }
  const threads = Number(wanted);
  if (Number.isInteger(threads) && threads >= 1 && threads <= 1024) return threads;
  throw new UsageError(`expected a number of threads from 1 to 1024, got "${wanted}"`, {
    hint: "set FEWBIT_THREADS or `threads` to the number of cores to use",
    field: "threads",
    value: wanted,
  });
}
