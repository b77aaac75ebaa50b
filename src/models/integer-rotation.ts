import type { Backend } from "../backend/backend.ts";
import { angleTables, inverseFrequencies, type RopeConfig } from "../nn/rope.ts";
import { integerRope } from "../tensor/integer-only-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { roundHalfEven } from "../util/rounding.ts";

const angleLevels = 2 ** 20;

/** Rotary positions by tables of cosines and sines in Q20, grown on demand. */
export class IntegerRotation {
  private readonly backend: Backend;
  private readonly config: RopeConfig;
  private positions = 0;
  private tables: { readonly cos: Tensor<"i32">; readonly sin: Tensor<"i32"> } | null = null;

  constructor(backend: Backend, config: RopeConfig) {
    this.backend = backend;
    this.config = config;
  }

  /** Rotates heads `[batch, length, heads, d]`, the first token standing at `position`. */
  rotate(x: Tensor<"i32">, position: number): Tensor<"i32"> {
    const { cos, sin } = this.upTo(position + (x.shape[1] ?? 0));
    return integerRope(x, cos, sin, position);
  }

  private upTo(positions: number): NonNullable<IntegerRotation["tables"]> {
    if (this.tables && this.positions >= positions) return this.tables;
    this.positions = Math.max(positions, 2 * this.positions, 64);
    const { cos, sin } = angleTables(
      this.config,
      this.positions,
      inverseFrequencies(this.config, this.positions),
    );
    const shape = [this.positions, this.config.headDim / 2];
    const fixed = (table: Float32Array): Tensor<"i32"> =>
      Tensor.from(this.backend, "i32", shape, Int32Array.from(table, inLevels));
    this.tables = { cos: fixed(cos), sin: fixed(sin) };
    return this.tables;
  }
}

function inLevels(value: number): number {
  return roundHalfEven(value * angleLevels);
}
