import type { Backend } from "../../backend/backend.ts";
import type { Scheme } from "../../quant/scheme.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { columnGroups, roundInPlace } from "./quantize-columns.ts";
import { quadraticForms } from "./quadratic-loss.ts";

/** Weights in one call: enough to keep the kernels busy, little enough to stay in memory. */
const weightsAtOnce = 2 ** 22;

/** A weight whose groups are to be clipped. */
export interface ClipProblem {
  /** `W [out, in]` */
  readonly weight: Float32Array;
  readonly outFeatures: number;
  readonly inFeatures: number;
  readonly scheme: Scheme;
  /** `H [in, in] = Σ x·xᵀ` over the layer's inputs. */
  readonly moments: Float32Array;
  readonly backend: Backend;
}

/** What a search for clipping ranges found. */
export interface Clipped {
  /** Share of each group's largest |w| that is kept, `[out, groups]`. */
  readonly ratios: Float32Array;
  /** `Σ over groups Σ (x·(ŵ − w))²` without and with clipping. */
  readonly lossBefore: number;
  readonly loss: number;
}

/**
 * Finds for each group of each row the range ±m to which its weights are clamped before they are
 * rounded: of `m = p·max|w|`, `p` in `ratios`, the one with the least
 * `Σ_tokens (x_group·(ŵ − w))²`; the earliest on ties. Source: AWQ's clip search (arXiv 2306.00978,
 * the code published with it).
 */
export async function searchClipping(
  problem: ClipProblem,
  ratios: readonly number[],
): Promise<Clipped> {
  const { outFeatures, inFeatures, scheme } = problem;
  const groups = columnGroups(inFeatures, scheme.groupSize);
  const found = new Float32Array(outFeatures * groups.length);
  let [lossBefore, loss] = [0, 0];
  for (const { group, start, end } of groups) {
    const width = end - start;
    const moments = Tensor.from(
      problem.backend,
      "f32",
      [width, width],
      cut(problem.moments, inFeatures, [start, end], [start, end]),
    );
    const rowsAtOnce = Math.max(1, Math.floor(weightsAtOnce / (width * ratios.length)));
    for (let row = 0; row < outFeatures; row += rowsAtOnce) {
      const rows: Range = [row, Math.min(outFeatures, row + rowsAtOnce)];
      const part = cut(problem.weight, inFeatures, rows, [start, end]);
      const losses = await lossesOf(part, width, ratios, moments, scheme);
      for (let i = 0; i < rows[1] - rows[0]; i++) {
        const best = leastOf(losses, i, rows[1] - rows[0]);
        found[(row + i) * groups.length + group] = ratios[best.index];
        lossBefore += losses[i];
        loss += best.value;
      }
    }
  }
  return { ratios: found, lossBefore, loss };
}

/** Clamps each group of `W [out, in]` to ±ratio·max|w|, in place. `ratios [out, groups]`. */
export function clampGroups(
  weight: Float32Array,
  inFeatures: number,
  groupSize: number | null,
  ratios: Float32Array,
): void {
  const groups = columnGroups(inFeatures, groupSize);
  for (let row = 0, at = 0; at < weight.length; row++) {
    for (const { group, start, end } of groups) {
      const part = weight.subarray(at, at + end - start);
      clampTo(part, part, ratios[row * groups.length + group]);
      at += end - start;
    }
  }
}

type Range = readonly [start: number, end: number];

/** Losses of all rows `[rows, width]` clamped with each ratio, `[ratios, rows]`. */
async function lossesOf(
  part: Float32Array,
  width: number,
  ratios: readonly number[],
  moments: Tensor<"f32">,
  scheme: Scheme,
): Promise<Float64Array> {
  const { backend } = moments;
  const candidates = new Float32Array(part.length * ratios.length);
  ratios.forEach((ratio, i) => {
    for (let at = 0; at < part.length; at += width) {
      const target = candidates.subarray(i * part.length + at, i * part.length + at + width);
      clampTo(target, part.subarray(at, at + width), ratio);
    }
  });
  const shape = [candidates.length / width, width];
  const rounded = Tensor.from(backend, "f32", shape, candidates);
  roundInPlace(rounded, scheme);
  const errors = await rounded.read();
  for (let i = 0; i < errors.length; i++) errors[i] -= part[i % part.length];
  return quadraticForms(Tensor.from(backend, "f32", shape, errors), moments);
}

function clampTo(target: Float32Array, source: Float32Array, ratio: number): void {
  let largest = 0;
  for (let j = 0; j < source.length; j++) largest = Math.max(largest, Math.abs(source[j]));
  const limit = Math.fround(ratio * largest);
  for (let j = 0; j < source.length; j++) {
    target[j] = Math.min(limit, Math.max(-limit, source[j]));
  }
}

/** The least of `values[row]`, `values[row + rows]`, …, the earliest on ties. */
function leastOf(
  values: Float64Array,
  row: number,
  rows: number,
): { index: number; value: number } {
  let least = { index: 0, value: values[row] };
  for (let index = 1; row + index * rows < values.length; index++) {
    const value = values[row + index * rows];
    if (value < least.value) least = { index, value };
  }
  return least;
}

/** Copies the given rows and columns out of a matrix. */
function cut(matrix: Float32Array, columns: number, rows: Range, range: Range): Float32Array {
  const [start, end] = range;
  const out = new Float32Array((rows[1] - rows[0]) * (end - start));
  for (let row = rows[0], at = 0; row < rows[1]; row++, at += end - start) {
    out.set(matrix.subarray(row * columns + start, row * columns + end), at);
  }
  return out;
}
