import type { DType, TypedArray } from "../tensor/dtype.ts";
import type { Kernels, Storage } from "./kernels.ts";
import type { PackedOperand, PreparedOperand } from "./packed-operand.ts";

/** Ids of the backends. */
export type BackendId = "reference" | "native";

/**
 * Where the bytes live and who runs the ops. Ops enqueue synchronously and run in order; `read` and
 * `synchronize` wait. A buffer that was released may be handed out again at once: the order of the
 * queue keeps that safe as long as bytes are only seen through `read`.
 */
export interface Backend {
  readonly id: BackendId;
  /** One line for people: `native (AVX-512)`. */
  readonly description: string;
  /** Instruction level or adapter, as written into run records. */
  readonly level: string;
  /** Threads that kernels use. */
  readonly threads: number;
  /** Whether products of bfloat16 matrices take less time than those of float32. */
  readonly hasFastBfloat16: boolean;
  readonly kernels: Kernels;
  /** Hands out storage for `length` elements; contents are undefined. */
  allocate(dtype: DType, length: number): Storage;
  /** Gives storage back for reuse. */
  release(storage: Storage): void;
  /** Takes over a typed array as storage; it must not be written any more. */
  adopt(dtype: DType, array: TypedArray): Storage;
  /** Views `length` elements of `storage` from element `offset` on, without a copy. */
  view(storage: Storage, dtype: DType, offset: number, length: number): Storage;
  /** Waits for all work enqueued so far, then copies the elements out. */
  read(storage: Storage, dtype: DType, length: number): Promise<TypedArray>;
  /**
   * The same, blocking: for what decides which work comes next. A kernel that failed is reported by
   * the next wait.
   */
  readNow(storage: Storage, dtype: DType, length: number): TypedArray;
  /**
   * Waits for all work enqueued so far, then shows the elements themselves, to be read or written
   * as long as no more work is enqueued that uses them.
   */
  host(storage: Storage, dtype: DType, length: number): Promise<TypedArray>;
  /** Waits for all work enqueued so far. @throws BackendError when a kernel failed */
  synchronize(): Promise<void>;
  /** Lays a packed weight out for this machine. */
  prepare(operand: PackedOperand): PreparedOperand;
}
