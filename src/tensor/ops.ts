import { storedLength } from "./four-bit-rows.ts";
import type { AttentionOptions } from "../backend/kernels.ts";
import type { Backend } from "../backend/backend.ts";
import type { PackedOperand } from "../backend/packed-operand.ts";
import { ShapeError } from "../util/errors.ts";
import type { DType } from "./dtype.ts";
import { asMatrix, expectShape, type Shape } from "./shape.ts";
import { type Backward, expectUntracked, record, recordCheap } from "./tape.ts";
import { emptyLike, Tensor } from "./tensor.ts";

/*
 * The ops of models. Each checks shapes, allocates its output, enqueues one kernel of the backend
 * its inputs live on, and, where it has gradients, records them on the open tape.
 */

/** Rows of `table [vocabulary, d]` at `ids` (i32, any shape); result `[...ids, d]` f32. */
export function embedding(table: Tensor, ids: Tensor<"i32">): Tensor<"f32"> {
  const out = Tensor.empty(table.backend, "f32", [...ids.shape, table.shape[1] ?? 0]);
  table.backend.kernels.embedding(out, table, ids);
  const backward: Backward = (dOut, _wanted, [sum]) => {
    const dTable = sum ?? Tensor.empty(table.backend, "f32", table.shape);
    table.backend.kernels.embeddingBackward(dTable.reshape(table.shape), dOut, ids, sum !== null);
    return [dTable];
  };
  return record(out, [table], backward, [ids]);
}

/** Rows of a packed table `[vocabulary, d]` at `ids` (i32), decoded; result `[...ids, d]` f32. */
export function packedEmbedding(
  backend: Backend,
  table: PackedOperand,
  ids: Tensor<"i32">,
): Tensor<"f32"> {
  const out = Tensor.empty(backend, "f32", [...ids.shape, table.inFeatures]);
  backend.kernels.packedEmbedding(out, table, ids);
  return out;
}

/** RMSNorm over the last dimension; `weight` has its length. */
export function rmsNorm(x: Tensor, weight: Tensor, eps: number): Tensor<"f32"> {
  expectShape("rmsNorm weight", weight.shape, [asMatrix(x.shape).columns]);
  const body = (): Tensor<"f32"> => {
    const out = Tensor.empty(x.backend, "f32", x.shape);
    x.backend.kernels.rmsNorm(out, x, weight, eps);
    return out;
  };
  return recordCheap([x, weight], body, (dOut, [wantsX, wantsWeight]) => {
    const dX = wantsX ? emptyLike(x) : null;
    const dWeight = wantsWeight ? emptyLike(weight) : null;
    x.backend.kernels.rmsNormBackward(dX, dWeight, dOut, x, weight, eps);
    return [dX, dWeight];
  });
}

/** LayerNorm over the last dimension; null weight and bias mean 1 and 0. */
export function layerNorm(
  x: Tensor,
  weight: Tensor | null,
  bias: Tensor | null,
  eps: number,
): Tensor<"f32"> {
  const { columns } = asMatrix(x.shape);
  if (weight) expectShape("layerNorm weight", weight.shape, [columns]);
  if (bias) expectShape("layerNorm bias", bias.shape, [columns]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.layerNorm(out, x, weight, bias, eps);
  const inputs = [x, weight, bias].filter((input) => input !== null);
  return record(out, inputs, (dOut) => {
    const gradients = [emptyLike(x), weight && emptyLike(weight), bias && emptyLike(bias)] as const;
    x.backend.kernels.layerNormBackward(...gradients, dOut, x, weight, eps);
    return gradients.filter((gradient) => gradient !== null);
  });
}

/** Rotary embedding of x `[batch, length, heads, headDim]`; row t is at position `start + t`. */
export function rope(x: Tensor, cos: Tensor, sin: Tensor, start: number): Tensor<"f32"> {
  const [, length = 0, , headDim = 0] = x.shape;
  const [positions = 0] = cos.shape;
  if (start + length > positions) {
    throw new ShapeError(
      `rope: position ${start + length - 1} is beyond the ${positions} prepared`,
    );
  }
  expectShape("rope cos", cos.shape, [positions, headDim / 2]);
  expectShape("rope sin", sin.shape, [positions, headDim / 2]);
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.rope(out, x, cos, sin, start);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.ropeBackward(dX, dOut, cos, sin, start);
    return [dX];
  };
  return record(out, [x], backward, [cos, sin]);
}

/** Causal grouped-query attention; shapes as in `Kernels.attention`. */
export function attention(
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions,
): Tensor<"f32"> {
  const out = Tensor.empty(q.backend, "f32", q.shape);
  attentionInto(out, q, k, v, options);
  if (k.dtype !== "f32" || k.shape[1] !== q.shape[1]) {
    expectUntracked("attention to a cache", q, k, v);
  }
  return record(out, [q, k, v], (dOut) => {
    const gradients = [emptyLike(q), emptyLike(k), emptyLike(v)] as const;
    q.backend.kernels.attentionBackward(...gradients, dOut, q, k, v, options);
    return gradients;
  });
}

/** The same, written to `out`, of the shape of q; it has no gradients. */
export function attentionInto(
  out: Tensor<"f32">,
  q: Tensor,
  k: Tensor,
  v: Tensor,
  options: AttentionOptions,
): void {
  const [batch = 0, length = 0, heads = 0, headDim = 0] = q.shape;
  const [, capacity = 0, kvHeads = 1] = k.shape;
  expectShape("attention output", out.shape, q.shape);
  const stored = storedLength(k.dtype, headDim);
  expectShape("attention k", k.shape, [batch, capacity, kvHeads, stored]);
  expectShape("attention v", v.shape, k.shape);
  if (heads % kvHeads !== 0 || options.keyLength > capacity || length > options.keyLength) {
    throw new ShapeError(
      `attention: ${heads} heads over ${kvHeads} key heads, ${length} queries, ` +
        `${options.keyLength} keys in a cache of ${capacity}`,
    );
  }
  if (k.dtype === "i8" || k.dtype === "u8") {
    const { keyScales, valueScales } = options;
    expectShape("attention scales of k", keyScales?.shape ?? [], [batch, capacity, kvHeads]);
    expectShape("attention scales of v", valueScales?.shape ?? [], [batch, capacity, kvHeads]);
  }
  q.backend.kernels.attention(out, q, k, v, options);
}

/** `silu(gate) · up`. */
export function swiglu(gate: Tensor, up: Tensor): Tensor<"f32"> {
  expectShape("swiglu up", up.shape, gate.shape);
  const body = (): Tensor<"f32"> => {
    const out = Tensor.empty(gate.backend, "f32", gate.shape);
    gate.backend.kernels.swiglu(out, gate, up);
    return out;
  };
  return recordCheap([gate, up], body, (dOut) => {
    const gradients = [emptyLike(gate), emptyLike(up)] as const;
    gate.backend.kernels.swigluBackward(...gradients, dOut, gate, up);
    return gradients;
  });
}

/** GELU, exact or with the tanh approximation. */
export function gelu(x: Tensor, approximation: "none" | "tanh" = "none"): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.gelu(out, x, approximation);
  return record(out, [x], (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.geluBackward(dX, dOut, x, approximation);
    return [dX];
  });
}

/** `max(x, 0)`, elementwise. */
export function relu(x: Tensor): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.relu(out, x);
  return record(out, [x], (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.reluBackward(dX, dOut, x);
    return [dX];
  });
}

/** `cap · tanh(x / cap)`, elementwise: what is small stays, nothing gets beyond ±cap. */
export function softCap(x: Tensor, cap: number): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.softCap(out, x, cap);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.softCapBackward(dX, dOut, out, cap);
    return [dX];
  };
  return record(out, [x], backward, [out]);
}

/** The columns `columns [n]` (none twice) of x `[..., m]`, as `[..., n]`. */
export function takeColumns(x: Tensor, columns: Tensor<"i32">): Tensor<"f32"> {
  const shape = [...x.shape.slice(0, -1), columns.size];
  const out = Tensor.empty(x.backend, "f32", shape);
  x.backend.kernels.takeColumns(out, x, columns);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.takeColumnsBackward(dX, dOut, columns);
    return [dX];
  };
  return record(out, [x], backward, [columns]);
}

/** Softmax over the last dimension. */
export function softmax(x: Tensor): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", x.shape);
  x.backend.kernels.softmax(out, x);
  const backward: Backward = (dOut) => {
    const dX = emptyLike(x);
    x.backend.kernels.softmaxBackward(dX, dOut, out);
    return [dX];
  };
  return record(out, [x], backward, [out]);
}

/** `a + b`; `b` has the shape of `a` or only its last dimension. */
export function add(a: Tensor, b: Tensor): Tensor<"f32"> {
  expectRowOrSame("add", a, b);
  const out = Tensor.empty(a.backend, "f32", a.shape);
  a.backend.kernels.add(out, a, b);
  const isRow = b.size < a.size;
  const backward: Backward = (dOut, [, wantsB]) => [
    dOut,
    isRow && wantsB ? columnSums(dOut, b.shape) : dOut,
  ];
  return record(out, [a, b], backward, []);
}

/** `a · b`, elementwise; `b` has the shape of `a` or only its last dimension. */
export function multiply(a: Tensor, b: Tensor): Tensor<"f32"> {
  expectRowOrSame("multiply", a, b);
  const out = product(a, b);
  return record(out, [a, b], (dOut, [wantsA, wantsB]) => {
    const dA = wantsA ? product(dOut, b) : null;
    if (!wantsB) return [dA, null];
    const dB = product(dOut, a.reshape(dOut.shape));
    if (b.size === a.size) return [dA, dB];
    const sums = columnSums(dB, b.shape);
    dB.release();
    return [dA, sums];
  });
}

/** `a ← a · b`, elementwise, in place; `b` has the shape of `a` or only its last dimension. */
export function multiplyInto(a: Tensor<"f32">, b: Tensor): void {
  expectRowOrSame("multiply", a, b);
  a.backend.kernels.multiply(a, a, b);
}

/** `a ← a + b`, elementwise, in place; both of one shape. */
export function addInto(a: Tensor<"f32">, b: Tensor): void {
  expectShape("add", b.shape, a.shape);
  a.backend.kernels.add(a, a, b);
}

/** `out ← x`, rounded to the dtype of `out`, in place; both of one shape. */
export function copyInto(out: Tensor, x: Tensor): void {
  expectShape("copy", x.shape, out.shape);
  out.backend.kernels.cast(out, x);
}

/** Converts between float dtypes, rounding to nearest even; gradients pass straight through. */
export function cast<D extends DType>(x: Tensor, dtype: D): Tensor<D> {
  const out = Tensor.empty(x.backend, dtype, x.shape);
  x.backend.kernels.cast(out, x);
  return record(out, [x], (dOut) => [dOut], []);
}

/** `−log softmax(logits [T, vocabulary])[target]` a row, targets `[T]` i32; result `[T]`. */
export function crossEntropy(logits: Tensor, targets: Tensor<"i32">): Tensor<"f32"> {
  expectShape("targets", targets.shape, logits.shape.slice(0, 1));
  const losses = Tensor.empty(logits.backend, "f32", targets.shape);
  logits.backend.kernels.crossEntropy(losses, logits, targets);
  return losses;
}

/** KL(teacher ‖ student) and top-token agreement a row; both logits `[T, vocabulary]`. */
export function klDivergence(
  teacher: Tensor,
  student: Tensor,
): { divergence: Tensor<"f32">; agree: Tensor<"f32"> } {
  expectShape("student logits", student.shape, teacher.shape);
  const rows = teacher.shape.slice(0, 1);
  const divergence = Tensor.empty(teacher.backend, "f32", rows);
  const agree = Tensor.empty(teacher.backend, "f32", rows);
  teacher.backend.kernels.klDivergence(divergence, agree, teacher, student);
  return { divergence, agree };
}

function expectRowOrSame(what: string, a: Tensor, b: Tensor): void {
  expectShape(what, b.shape, b.shape.length === 1 ? a.shape.slice(-1) : a.shape);
}

function product(a: Tensor, b: Tensor): Tensor<"f32"> {
  const out = emptyLike(a);
  a.backend.kernels.multiply(out, a, b);
  return out;
}

function columnSums(x: Tensor, shape: Shape): Tensor<"f32"> {
  const out = Tensor.empty(x.backend, "f32", shape);
  x.backend.kernels.columnSums(out, x);
  return out;
}
