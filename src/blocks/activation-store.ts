import type { Backend } from "../backend/backend.ts";
import {
  allocateBuffer,
  type GrowingFile,
  makeDirectories,
  openForGrowing,
  parentPath,
  remove,
} from "../platform/node.ts";
import { type ArrayOf, bytesPerElement, viewArray } from "../tensor/dtype.ts";
import { cast } from "../tensor/ops.ts";
import { elementCount } from "../tensor/shape.ts";
import { Tensor } from "../tensor/tensor.ts";
import { FewbitError } from "../util/errors.ts";
import { expectFit } from "../util/fit-halves.ts";

/** How activations are kept between blocks. */
export type ActivationDType = "f32" | "f16";

/** Rows of activations, `[windows, length, hiddenSize]`, changed a few windows at a time. */
export interface ActivationStore {
  /** Windows `first` to `first + count`, f32; good until `done` is called with it. */
  load(first: number, count: number): Promise<Tensor<"f32">>;
  /** Gives back what `load` gave. */
  done(loaded: Tensor<"f32">): void;
  /**
   * Puts windows in the place of those from `first` on, and takes them over; `what` they are is for
   * errors.
   * @throws NumericError where a value does not fit into float16
   */
  save(first: number, windows: Tensor<"f32">, what: string): Promise<void>;
  release(): Promise<void>;
}

/** Keeps activations in memory; all pieces but the last have `perPiece` windows, loads span one. */
export class MemoryStore implements ActivationStore {
  private readonly pieces: Tensor[] = [];
  private readonly perPiece: number;
  private readonly dtype: ActivationDType;

  constructor(perPiece: number, dtype: ActivationDType) {
    this.perPiece = perPiece;
    this.dtype = dtype;
  }

  async load(first: number, count: number): Promise<Tensor<"f32">> {
    const begin = first % this.perPiece;
    const piece = this.pieces[Math.floor(first / this.perPiece)];
    const part = piece.slice(begin, begin + count);
    return this.dtype === "f32" ? (part as Tensor<"f32">) : cast(part, "f32");
  }

  done(loaded: Tensor<"f32">): void {
    if (this.dtype !== "f32") loaded.release();
  }

  async save(first: number, windows: Tensor<"f32">, what: string): Promise<void> {
    const at = Math.floor(first / this.perPiece);
    const former = this.pieces[at] as Tensor | undefined;
    this.pieces[at] = await narrow(windows, this.dtype, what);
    former?.release();
  }

  async release(): Promise<void> {
    for (const piece of this.pieces) piece.release();
    this.pieces.length = 0;
  }
}

/** Keeps activations in a file, which goes with them. */
export class DiskStore implements ActivationStore {
  private readonly backend: Backend;
  private readonly dtype: ActivationDType;
  /** Of one window. */
  private readonly shape: readonly number[];
  private readonly file: GrowingFile;

  private constructor(
    backend: Backend,
    dtype: ActivationDType,
    shape: readonly number[],
    file: GrowingFile,
  ) {
    this.backend = backend;
    this.dtype = dtype;
    this.shape = shape;
    this.file = file;
  }

  /** Creates the file, and the folder that it lies in, for windows of `shape`. */
  static async create(
    backend: Backend,
    path: string,
    dtype: ActivationDType,
    shape: readonly number[],
  ): Promise<DiskStore> {
    await makeDirectories(parentPath(path));
    return new DiskStore(backend, dtype, shape, await openForGrowing(path));
  }

  async load(first: number, count: number): Promise<Tensor<"f32">> {
    const { backend, dtype, shape } = this;
    const bytes = new Uint8Array(allocateBuffer(count * this.windowBytes, "activations"));
    const read = await this.file.read(bytes, first * this.windowBytes);
    if (read < bytes.length) {
      throw new FewbitError("FILE", `${this.file.path} is shorter than it was written`, {
        hint: "leave the files of a run alone while it works",
      });
    }
    const values = viewArray(dtype, bytes.buffer, 0, count * elementCount(shape));
    const stored = Tensor.from(backend, dtype, [count, ...shape], values as ArrayOf[typeof dtype]);
    return dtype === "f32" ? (stored as Tensor<"f32">) : cast(stored, "f32");
  }

  done(loaded: Tensor<"f32">): void {
    loaded.release();
  }

  async save(first: number, windows: Tensor<"f32">, what: string): Promise<void> {
    const stored = await narrow(windows, this.dtype, what);
    const values = await stored.read();
    stored.release();
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    await this.file.write(bytes, first * this.windowBytes);
  }

  async release(): Promise<void> {
    await this.file.close();
    await remove(this.file.path);
  }

  private get windowBytes(): number {
    return elementCount(this.shape) * bytesPerElement(this.dtype);
  }
}

/** Rounds activations to what they are kept as, and takes them over. */
async function narrow(
  windows: Tensor<"f32">,
  dtype: ActivationDType,
  what: string,
): Promise<Tensor> {
  if (dtype === "f32") return windows;
  const stored = cast(windows, dtype);
  try {
    expectFit(await stored.read(), await windows.read(), {
      what: `activations (${what})`,
      hint: "keep activations in float32: `cacheDType: f32`",
      field: "cacheDType",
      value: dtype,
    });
    return stored;
  } catch (error) {
    stored.release();
    throw error;
  } finally {
    windows.release();
  }
}
