import type { Rotation } from "../../nn/model-rotation.ts";
import type { Prng } from "../../util/prng.ts";
import { splitSize, transformRuns } from "./hadamard.ts";

/** A rotation that is multiplied by in float64, one vector at a time. */
export interface VectorRotation extends Rotation {
  /** Replaces x `[size]` by x·R. */
  readonly turn: (x: Float64Array) => void;
}

/** What a random rotation is like. */
export interface RotationKind {
  /** `hadamard`: random signs in front of a Hadamard matrix. `orthogonal`: any, equally likely. */
  readonly kind: "hadamard" | "orthogonal";
  /** Whether a vector of ones is to stay as it is. */
  readonly keepsOnes: boolean;
}

/** A factor of a rotation: it replaces x by x·B, and back by x·Bᵀ. */
interface Basis {
  readonly turn: (x: Float64Array) => void;
  readonly turnBack: (x: Float64Array) => void;
}

/**
 * Draws a rotation. Of a Hadamard matrix B with random signs D it is `D·B`; where a vector of ones
 * is to stay, `B·D·Bᵀ`, for the first column of B is that vector and its sign +1. B is the product
 * of a Hadamard matrix by Paley (`K·2^m = size`) and one by Sylvester; where there is none by Paley,
 * the first is a random orthogonal matrix of the size's odd part.
 */
export function randomRotation(
  size: number,
  random: Prng,
  { kind, keepsOnes }: RotationKind,
): VectorRotation {
  const { order, matrix } = kind === "hadamard" ? splitSize(size) : { order: size, matrix: null };
  const own = matrix?.map((value) => value / Math.sqrt(order));
  const basis = kronecker(size, order, own ?? randomOrthogonal(order, random, keepsOnes));
  const signs = Float64Array.from({ length: size }, () => (random.uniform() < 0.5 ? -1 : 1));
  if (keepsOnes) signs[0] = 1;
  return signedRotation(size, basis, signs, keepsOnes);
}

/** A Hadamard rotation with signs that are given; see `randomRotation`. */
export function hadamardRotation(signs: Float64Array, keepsOnes = false): VectorRotation {
  const { length: size } = signs;
  const { order, matrix } = splitSize(size);
  if (!matrix) throw new RangeError(`there is no Hadamard matrix for ${size}`);
  const own = matrix.map((value) => value / Math.sqrt(order));
  return signedRotation(size, kronecker(size, order, own), signs, keepsOnes);
}

function signedRotation(
  size: number,
  { turn, turnBack }: Basis,
  signs: Float64Array,
  keepsOnes: boolean,
): VectorRotation {
  const flip = (x: Float64Array): void => {
    for (let i = 0; i < size; i++) x[i] *= signs[i];
  };
  const whole = (x: Float64Array): void => {
    if (keepsOnes) turn(x);
    flip(x);
    if (keepsOnes) turnBack(x);
    else turn(x);
  };
  return { size, turn: whole, turnRows: (rows) => turnEach(rows, size, whole) };
}

function turnEach(rows: Float32Array, size: number, turn: VectorRotation["turn"]): void {
  const x = new Float64Array(size);
  for (let at = 0; at < rows.length; at += size) {
    const row = rows.subarray(at, at + size);
    x.set(row);
    turn(x);
    row.set(x);
  }
}

/** `A ⊗ H`, A orthogonal of an order and H the rest, by Sylvester. */
function kronecker(size: number, order: number, a: Float64Array): Basis {
  const length = size / order;
  const norm = Math.sqrt(length);
  const mixed = new Float64Array(size);
  const multiply = (x: Float64Array, rowStep: number, columnStep: number): void => {
    transformRuns(x, length);
    mixed.fill(0);
    for (let k = 0; k < order; k++) {
      for (let j = 0; j < order; j++) {
        const factor = a[k * rowStep + j * columnStep] / norm;
        const [from, to] = [k * length, j * length];
        for (let i = 0; i < length; i++) mixed[to + i] += factor * x[from + i];
      }
    }
    x.set(mixed);
  };
  return { turn: (x) => multiply(x, order, 1), turnBack: (x) => multiply(x, 1, order) };
}

/**
 * Draws an orthogonal matrix `[order, order]`, all equally likely: normal values by Gram and
 * Schmidt, column by column and twice for exactness. With `ones` the first column is ones, scaled.
 */
function randomOrthogonal(order: number, random: Prng, ones: boolean): Float64Array {
  const columns: Float64Array[] = [];
  for (let j = 0; j < order; j++) {
    const isOnes = ones && j === 0;
    const column = Float64Array.from({ length: order }, () => (isOnes ? 1 : random.normal()));
    for (const other of [...columns, ...columns]) {
      const share = dot(column, other);
      for (let i = 0; i < order; i++) column[i] -= share * other[i];
    }
    const length = Math.sqrt(dot(column, column));
    columns.push(column.map((value) => value / length));
  }
  return Float64Array.from({ length: order ** 2 }, (_, at) => {
    return columns[at % order][Math.floor(at / order)];
  });
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += a[i] * b[i];
  return sum;
}
