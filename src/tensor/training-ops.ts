import { type PackedOperand, scaleColumns } from "../backend/packed-operand.ts";
import type { AdamWOptions, StraightThrough } from "../backend/training-kernels.ts";
import { multiply } from "./ops.ts";
import { asMatrix, expectShape } from "./shape.ts";
import { type Backward, openPrecision, record, recordCheap } from "./tape.ts";
import { emptyLike, Tensor } from "./tensor.ts";

/*
 * The ops of training: weights on their way to a grid, and losses with the gradients that a
 * backward pass starts from.
 */

/** Learnable parameters of fake quantization, `[rows, groups]` each; null means 1, 0 and 0. */
export interface GroupParameters {
  readonly scales: Tensor<"f32"> | null;
  readonly zeros: Tensor<"f32"> | null;
  /** Added to every value of a group. */
  readonly offsets?: Tensor<"f32"> | null;
  /** Columns a group; the last group of a row may be shorter. */
  readonly groupSize: number;
}

/**
 * The values of a grid that weights `[rows, columns]` take, with straight-through gradients by
 * weights, scales, zero points and offsets. bf16 within a recording in bfloat16 (the gradients stay
 * f32), otherwise f32.
 */
export function fakeQuantize(
  weight: Tensor<"f32">,
  groups: GroupParameters,
  how: StraightThrough,
): Tensor<"f32" | "bf16"> {
  return quantizeAs(openPrecision(), weight, groups, how);
}

/** As `fakeQuantize`, in f32 within a recording in bfloat16, too. */
export function fakeQuantizeExactly(
  weight: Tensor<"f32">,
  groups: GroupParameters,
  how: StraightThrough,
): Tensor<"f32"> {
  return quantizeAs("f32", weight, groups, how);
}

function quantizeAs<D extends "f32" | "bf16">(
  dtype: D,
  weight: Tensor<"f32">,
  { scales, zeros, offsets = null, groupSize }: GroupParameters,
  how: StraightThrough,
): Tensor<D> {
  const [rows = 0, columns = 0] = weight.shape;
  const shape = [rows, Math.ceil(columns / groupSize)];
  for (const [what, of] of Object.entries({ scales, "zero points": zeros, offsets })) {
    if (of) expectShape(what, of.shape, shape);
  }
  const { kernels } = weight.backend;
  const groups = { scales, zeros, offsets, shifts: null, groupSize };
  const body = (): Tensor<D> => {
    const out = Tensor.empty(weight.backend, dtype, weight.shape);
    kernels.fakeQuantize(out, weight, groups, how);
    return out;
  };
  const inputs = [weight, scales, zeros, offsets].filter((input) => input !== null);
  const backward: Backward = (dOut) => {
    const gradients = {
      dWeight: emptyLike(weight),
      dScales: scales && emptyLike(scales),
      dZeros: zeros && emptyLike(zeros),
      dOffsets: offsets && emptyLike(offsets),
    };
    kernels.fakeQuantizeBackward({ ...gradients, dShifts: null }, dOut, weight, groups, how);
    return Object.values(gradients).filter((gradient) => gradient !== null);
  };
  return recordCheap(inputs, body, backward);
}

/** Rounds each row of x `[..., n]` to `2·levels + 1` values; gradients pass straight through. */
export function fakeQuantizeRows(x: Tensor, levels: number): Tensor<"f32"> {
  const out = emptyLike(x);
  const flat = asMatrix(x.shape);
  const shape = [flat.rows, flat.columns];
  x.backend.kernels.fakeQuantizeRows(out.reshape(shape), x.reshape(shape), levels);
  return record(out, [x], (dOut) => [dOut], []);
}

/**
 * Scales as they are stored: float16 values, at least `least`, of which with `thirds` two thirds are
 * float16 values, too. Their gradient is that of the result times `factor`, also where they are
 * below `least`.
 */
export function roundScales(
  scales: Tensor<"f32">,
  least: number,
  { factor = 1, thirds = false }: { readonly factor?: number; readonly thirds?: boolean } = {},
): Tensor<"f32"> {
  const out = emptyLike(scales);
  scales.backend.kernels.roundScales(out, scales, least, thirds);
  const backward: Backward = (dOut) => {
    if (factor === 1) return [dOut];
    const factors = new Float32Array(dOut.size).fill(factor);
    return [multiply(dOut, Tensor.from(dOut.backend, "f32", dOut.shape, factors))];
  };
  return record(out, [scales], backward, []);
}

/** Rounds to float16 and back; gradients pass straight through. */
export function roundToHalf(x: Tensor<"f32">): Tensor<"f32"> {
  const halves = Tensor.empty(x.backend, "f16", x.shape);
  x.backend.kernels.cast(halves, x);
  const out = emptyLike(x);
  x.backend.kernels.cast(out, halves);
  halves.release();
  return record(out, [x], (dOut) => [dOut], []);
}

/**
 * The weight `[outFeatures, inFeatures]` of a packed operand with other scales, one for each group
 * of a row or for each of its blocks, and of blocks with other offsets, and its gradients by these.
 * bf16 within a recording in bfloat16, otherwise f32.
 */
export function decodePacked(
  operand: PackedOperand,
  scales: Tensor<"f32">,
  offsets: Tensor<"f32"> | null = null,
): Tensor<"f32" | "bf16"> {
  const { outFeatures, inFeatures } = operand;
  const columns = scaleColumns(operand);
  expectShape("scales", scales.shape, [outFeatures, Math.ceil(inFeatures / columns)]);
  if (offsets) expectShape("offsets", offsets.shape, scales.shape);
  const dtype = openPrecision();
  const { kernels } = scales.backend;
  const body = (): Tensor<"f32" | "bf16"> => {
    const out = Tensor.empty(scales.backend, dtype, [outFeatures, inFeatures]);
    kernels.decodePacked(out, operand, scales, offsets);
    return out;
  };
  const backward: Backward = (dOut) => {
    const dScales = emptyLike(scales);
    const dOffsets = offsets && emptyLike(offsets);
    kernels.decodePackedBackward(dScales, dOffsets, dOut, operand);
    return dOffsets ? [dScales, dOffsets] : [dScales];
  };
  return recordCheap(offsets ? [scales, offsets] : [scales], body, backward);
}

/**
 * Losses `−log softmax(logits)[target]` a row, `[T]`, and the gradient of `scale · Σ losses`, which
 * is written over the logits `[T, vocabulary]`. Rows with a negative target (i32) count for
 * nothing.
 */
export function crossEntropyGradient(
  logits: Tensor<"f32">,
  targets: Tensor<"i32">,
  scale: number,
): { losses: Tensor<"f32">; gradient: Tensor<"f32"> } {
  expectShape("targets", targets.shape, logits.shape.slice(0, 1));
  const { kernels } = logits.backend;
  const losses = Tensor.empty(logits.backend, "f32", targets.shape);
  kernels.crossEntropy(losses, logits, targets);
  kernels.crossEntropyBackward(logits, logits, targets, scale);
  return { losses, gradient: logits };
}

/**
 * `KL(teacher ‖ student)` a row, `[T]`, and the gradient of `scale · Σ KL` by the student's logits
 * `[T, vocabulary]`, which is written over them.
 */
export function klDivergenceGradient(
  teacher: Tensor,
  student: Tensor<"f32">,
  scale: number,
): { divergences: Tensor<"f32">; gradient: Tensor<"f32"> } {
  expectShape("student logits", student.shape, teacher.shape);
  const { backend } = student;
  const rows = student.shape.slice(0, 1);
  const divergences = Tensor.empty(backend, "f32", rows);
  const agree = Tensor.empty(backend, "f32", rows);
  backend.kernels.klDivergence(divergences, agree, teacher, student);
  agree.release();
  backend.kernels.klDivergenceBackward(student, teacher, student, scale);
  return { divergences, gradient: student };
}

/**
 * `Σ weights·(x − target)²`, `[1]` f64, and the gradient of `scale` times it by x; x and target are
 * `[..., n]`, the weights `[rows]`, null for 1 each.
 */
export function squaredErrorGradient(
  x: Tensor<"f32">,
  target: Tensor<"f32">,
  weights: Tensor<"f32"> | null,
  scale: number,
): { total: Tensor<"f64">; gradient: Tensor<"f32"> } {
  expectShape("target", target.shape, x.shape);
  const { rows, columns } = asMatrix(x.shape);
  if (weights) expectShape("weights", weights.shape, [rows]);
  const total = Tensor.empty(x.backend, "f64", [1]);
  const gradient = emptyLike(x);
  const flat = (tensor: Tensor): Tensor => tensor.reshape([rows, columns]);
  const { kernels } = x.backend;
  kernels.squaredError(total, flat(gradient), flat(x), flat(target), weights, 2 * scale);
  return { total, gradient };
}

/**
 * `‖t/‖t‖ − s/‖s‖‖²` for rows of teacher and student `[..., n]`, `[T]`, and the gradient of
 * `scale · Σ` of it by the student.
 */
export function directionErrorGradient(
  teacher: Tensor,
  student: Tensor<"f32">,
  scale: number,
): { errors: Tensor<"f32">; gradient: Tensor<"f32"> } {
  expectShape("student", student.shape, teacher.shape);
  const { rows, columns } = asMatrix(student.shape);
  const errors = Tensor.empty(student.backend, "f32", [rows]);
  const gradient = emptyLike(student);
  const flat = (x: Tensor): Tensor => x.reshape([rows, columns]);
  const { kernels } = student.backend;
  kernels.directionError(errors, flat(gradient), flat(teacher), flat(student), scale);
  return { errors, gradient };
}

/** `sum [1] f64 += Σ x²`, in place. */
export function addSumOfSquares(sum: Tensor<"f64">, x: Tensor): void {
  expectShape("sum of squares", sum.shape, [1]);
  x.backend.kernels.sumSquares(sum, x);
}

/** One AdamW step on weights and moments of one shape, in place: `TrainingKernels.adamw`. */
export function moveByAdamW(
  weight: Tensor<"f32">,
  first: Tensor<"f32" | "bf16">,
  second: Tensor<"f32" | "bf16">,
  gradient: Tensor<"f32">,
  options: AdamWOptions,
): void {
  for (const [what, { shape }] of Object.entries({ first, second, gradient })) {
    expectShape(what, shape, weight.shape);
  }
  weight.backend.kernels.adamw(weight, first, second, gradient, options);
}
