import type { KernelName, Kernels } from "../../backend/kernels.ts";
import type { NativeQueue } from "./queue.ts";

/**
 * Makes the kernel of one op for a queue: it checks its arguments, then calls `queue.run`. What the
 * native op does not cover it hands to `fallback`, which waits for the queue and runs the reference
 * kernel.
 */
export type Binding<K extends KernelName> = (
  queue: NativeQueue,
  fallback: Kernels[K],
) => Kernels[K];

/** Native ops by kernel; what is absent falls back to the reference kernel. */
export type Bindings = { readonly [K in KernelName]?: Binding<K> };
