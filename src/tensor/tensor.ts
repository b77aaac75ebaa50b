import { allocateBuffer } from "../platform/node.ts";
import type { Backend } from "../backend/backend.ts";
import type { Storage, TensorView } from "../backend/kernels.ts";
import { ShapeError, UsageError } from "../util/errors.ts";
import { type ArrayOf, bytesPerElement, type DType, type TypedArray, viewArray } from "./dtype.ts";
import { elementCount, formatShape, type Shape } from "./shape.ts";

/**
 * A dense row-major array on a backend. Immutable by convention: ops make new tensors, except where
 * an op's documentation says that it writes in place.
 */
export class Tensor<D extends DType = DType> implements TensorView {
  readonly backend: Backend;
  readonly dtype: D;
  readonly shape: Shape;
  readonly storage: Storage;
  /** The storage this one is a view of, or itself. */
  readonly root: Storage;

  private constructor(
    backend: Backend,
    dtype: D,
    shape: Shape,
    storage: Storage,
    root: Storage = storage,
  ) {
    this.backend = backend;
    this.dtype = dtype;
    this.shape = shape;
    this.storage = storage;
    this.root = root;
  }

  /** Allocates a tensor with undefined contents; the innermost `tidy` releases it. */
  static empty<D extends DType>(backend: Backend, dtype: D, shape: Shape): Tensor<D> {
    const tensor = new Tensor(backend, dtype, shape, backend.allocate(dtype, elementCount(shape)));
    openScopes.at(-1)?.push(tensor);
    return tensor;
  }

  /**
   * Takes over a typed array; it must not be written afterwards.
   * @throws ShapeError when the array's length does not fit the shape
   */
  static from<D extends DType>(
    backend: Backend,
    dtype: D,
    shape: Shape,
    array: ArrayOf[D],
  ): Tensor<D> {
    if (array.length !== elementCount(shape)) {
      throw new ShapeError(
        `expected ${elementCount(shape)} elements for shape ${formatShape(shape)}, got ` +
          `${array.length}`,
      );
    }
    return new Tensor(backend, dtype, shape, backend.adopt(dtype, array));
  }

  /**
   * Makes a tensor whose elements `write` sets. Its memory is the backend's, which has it back when
   * the tensor is released, whereas arrays that are taken over wait for the garbage collector.
   */
  static async fill<D extends DType>(
    backend: Backend,
    dtype: D,
    shape: Shape,
    write: (elements: ArrayOf[D]) => void | Promise<void>,
  ): Promise<Tensor<D>> {
    const tensor = new Tensor(backend, dtype, shape, backend.allocate(dtype, elementCount(shape)));
    try {
      await write((await backend.host(tensor.storage, dtype, tensor.size)) as ArrayOf[D]);
      return tensor;
    } catch (error) {
      tensor.release();
      throw error;
    }
  }

  /** A tensor of zeros. */
  static zeros<D extends DType>(backend: Backend, dtype: D, shape: Shape): Tensor<D> {
    const length = elementCount(shape);
    const bytes = allocateBuffer(length * bytesPerElement(dtype), "a tensor");
    return Tensor.from(backend, dtype, shape, viewArray(dtype, bytes, 0, length));
  }

  /** Number of elements. */
  get size(): number {
    return elementCount(this.shape);
  }

  /** The same elements in another shape, no copy. @throws ShapeError when counts differ */
  reshape(shape: Shape): Tensor<D> {
    if (elementCount(shape) !== this.size) {
      throw new ShapeError(
        `cannot reshape ${formatShape(this.shape)} to ${formatShape(shape)}: element counts differ`,
      );
    }
    return new Tensor(this.backend, this.dtype, shape, this.storage, this.root);
  }

  /**
   * Entries `[start, end)` of the first dimension, without a copy.
   * @throws ShapeError when the range is outside the tensor
   * @throws UsageError when gradients flow to the tensor: they would be lost
   */
  slice(start: number, end: number): Tensor<D> {
    const [first, ...rest] = this.shape;
    if (first === undefined || start < 0 || end > first || start > end) {
      throw new ShapeError(`rows ${start}..${end} are outside ${formatShape(this.shape)}`);
    }
    if (holder?.tracks(this)) throw new UsageError("a tensor that is differentiated has no slices");
    const stride = elementCount(rest);
    const storage = this.backend.view(
      this.storage,
      this.dtype,
      start * stride,
      (end - start) * stride,
    );
    return new Tensor(this.backend, this.dtype, [end - start, ...rest], storage, this.root);
  }

  /** Waits for the work that produces this tensor and copies its elements out. */
  async read(): Promise<ArrayOf[D]> {
    const array: TypedArray = await this.backend.read(this.storage, this.dtype, this.size);
    return array as ArrayOf[D];
  }

  /** Waits for the work that produces this tensor and shows `body` its elements, without a copy. */
  async look<R>(body: (elements: ArrayOf[D]) => R): Promise<R> {
    return body((await this.backend.host(this.storage, this.dtype, this.size)) as ArrayOf[D]);
  }

  /** As `read`, blocking: where the values decide which work comes next. */
  readNow(): ArrayOf[D] {
    const array: TypedArray = this.backend.readNow(this.storage, this.dtype, this.size);
    return array as ArrayOf[D];
  }

  /** Whether this tensor shares its memory with `other`. */
  isViewOf(other: Tensor): boolean {
    return this.root === other.root;
  }

  /** Gives the storage back; the tensor and every view of it must not be used any more. */
  release(): void {
    this.backend.release(this.root);
  }
}

/** Allocates a float32 tensor of another one's shape, with undefined contents. */
export function emptyLike({ backend, shape }: Tensor): Tensor<"f32"> {
  return Tensor.empty(backend, "f32", shape);
}

const openScopes: Tensor[][] = [];

/**
 * Runs `body` (synchronously) and releases every tensor allocated in it, except those it returns
 * and those that what it returns is a view of.
 */
export function tidy<R extends Tensor | readonly Tensor[] | null>(body: () => R): R {
  const scope: Tensor[] = [];
  openScopes.push(scope);
  let kept: readonly Tensor[] = [];
  try {
    const result = body();
    kept = Array.isArray(result) ? result : result ? [result as Tensor] : [];
    return result;
  } finally {
    openScopes.pop();
    const outer = openScopes.at(-1);
    for (const tensor of scope) {
      if (kept.some((keep) => keep.isViewOf(tensor))) outer?.push(tensor);
      else giveBack(tensor);
    }
  }
}

/** Something that needs tensors for longer than the `tidy` scope they were made in: a tape. */
export interface TensorHolder {
  needs(tensor: Tensor): boolean;
  /** Takes a tensor over: the holder releases it. */
  hold(tensor: Tensor): void;
  /** Whether gradients flow to a tensor. */
  tracks(tensor: Tensor): boolean;
}

let holder: TensorHolder | null = null;

/** Runs `body` (synchronously); tensors allocated in it go to the holder or are released. */
export function withHolder<R>(next: TensorHolder, body: () => R): R {
  const before = holder;
  const scope: Tensor[] = [];
  holder = next;
  openScopes.push(scope);
  try {
    return body();
  } finally {
    openScopes.pop();
    for (const tensor of scope) giveBack(tensor);
    holder = before;
  }
}

function giveBack(tensor: Tensor): void {
  if (holder?.needs(tensor)) holder.hold(tensor);
  else tensor.release();
}

/** Takes a tensor out of the open `tidy` scopes: it lives until it is released. Returns it. */
export function keep<T extends Tensor>(tensor: T): T {
  for (const scope of openScopes) {
    const at = scope.indexOf(tensor);
    if (at >= 0) scope.splice(at, 1);
  }
  return tensor;
}
