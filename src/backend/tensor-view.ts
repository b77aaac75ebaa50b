import type { DType } from "../tensor/dtype.ts";
import type { Shape } from "../tensor/shape.ts";

/** What a kernel sees of a tensor: dense, row-major, its bytes held by the backend. */
export interface TensorView {
  readonly dtype: DType;
  readonly shape: Shape;
  /** On CPU backends the typed array of exactly these elements. */
  readonly storage: Storage;
}

/** Bytes that belong to a backend. CPU backends use typed arrays; others their own handles. */
export type Storage = object;
