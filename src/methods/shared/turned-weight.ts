import type { Turn } from "../../nn/model-rotation.ts";
import { joinRows } from "../../tensor/route-ops.ts";
import { embedding } from "../../tensor/ops.ts";
import { matmul, matmulInto } from "../../tensor/products.ts";
import { Tensor, tidy } from "../../tensor/tensor.ts";

/** Rotations of a model as tensors `[n, n]`, by what they turn; null: it stays as it is. */
export type RotationTensors = (by: Turn["by"]) => Tensor<"f32"> | null;

/**
 * A tensor of a model (a matrix `[rows, columns]`, or a bias) that rotations are folded into, and
 * the gradients by these rotations of what is made of it: of `Y = X·R` they are `Xᵀ·dY`, of
 * `Y = Rᵀ·X` they are `X·dYᵀ`.
 */
export class TurnedWeight {
  /** Not turned; owned. */
  private readonly original: Tensor<"f32">;
  private readonly turns: readonly Turn[];

  constructor(original: Tensor<"f32">, turns: readonly Turn[]) {
    this.original = original;
    this.turns = turns;
  }

  /** Enqueues turning it; the result has its shape. */
  turned(rotations: RotationTensors): Tensor<"f32"> {
    return tidy(() => this.states(rotations).at(-1) as Tensor<"f32">);
  }

  /** Enqueues adding its share to the gradients by rotations, given that by what it has become. */
  addGradients(
    gradient: Tensor<"f32">,
    rotations: RotationTensors,
    gradients: RotationTensors,
  ): void {
    tidy(() => {
      const states = this.states(rotations);
      let dOut = gradient;
      for (const [i, turn] of [...this.turns.entries()].reverse()) {
        const [r, sum] = [rotations(turn.by), gradients(turn.by)];
        if (!r) continue;
        if (sum && turn.across) addAcross(sum, states[i], dOut, turn.across);
        else if (sum) addOfRows(sum, states[i], dOut);
        // The first of the turns hands nothing on.
        if (i > 0) dOut = turnedBy(dOut, r, turn, true);
      }
      return null;
    });
  }

  release(): void {
    this.original.release();
  }

  /** The tensor before each turn, and behind the last. */
  private states(rotations: RotationTensors): Tensor<"f32">[] {
    const states = [this.original];
    for (const turn of this.turns) {
      const [x, r] = [states[states.length - 1], rotations(turn.by)];
      states.push(r ? turnedBy(x, r, turn, false) : x);
    }
    return states;
  }
}

type Across = NonNullable<Turn["across"]>;

/** `X·R` or `Rᵀ·X`, or with `back` what undoes it. */
function turnedBy(
  x: Tensor<"f32">,
  r: Tensor<"f32">,
  { across }: Turn,
  back: boolean,
): Tensor<"f32"> {
  const [size = 0] = r.shape;
  if (!across) {
    const rows = x.reshape([x.size / size, size]);
    return matmul(rows, r, { transposeB: back }).reshape(x.shape);
  }
  const parts = partsOf(x, across).map((part) => matmul(r, part, { transposeA: !back }));
  return putBack(x, parts, across);
}

function addOfRows(sum: Tensor<"f32">, x: Tensor<"f32">, dOut: Tensor<"f32">): void {
  const [size = 0] = sum.shape;
  const shape = [x.size / size, size];
  matmulInto(sum, x.reshape(shape), dOut.reshape(shape), { transposeA: true, beta: 1 });
}

function addAcross(
  sum: Tensor<"f32">,
  x: Tensor<"f32">,
  dOut: Tensor<"f32">,
  across: Across,
): void {
  const gradients = partsOf(dOut, across);
  for (const [i, part] of partsOf(x, across).entries()) {
    matmulInto(sum, part, gradients[i], { transposeB: true, beta: 1 });
  }
}

/** The rows of a matrix that are turned together, `[size, columns]` each. */
function partsOf(x: Tensor<"f32">, { rows, columns }: Across): Tensor<"f32">[] {
  const matrix = x.reshape([x.size / columns, columns]);
  return rows.map((at) =>
    areInOrder(at)
      ? matrix.slice(at[0], at[0] + at.length)
      : embedding(matrix, Tensor.from(x.backend, "i32", [at.length], at.slice())),
  );
}

/** The matrix with other values in the rows that are turned. */
function putBack(x: Tensor<"f32">, parts: Tensor<"f32">[], { rows, columns }: Across) {
  const count = x.size / columns;
  const matrix = x.reshape([count, columns]);
  const turned = rows.reduce((sum, at) => sum + at.length, 0);
  const joined = joinRows(turned === count ? parts : [...parts, matrix]);
  // Rows that are not turned are those of the original, which stands behind the others.
  const order = Int32Array.from({ length: count }, (_, row) => turned + row);
  let next = 0;
  for (const at of rows) for (const row of at) order[row] = next++;
  if (order.every((from, row) => from === row)) return joined.reshape(x.shape);
  const places = Tensor.from(x.backend, "i32", [count], order);
  return embedding(joined, places).reshape(x.shape);
}

function areInOrder(rows: Int32Array): boolean {
  return rows.every((row, i) => row === rows[0] + i);
}
