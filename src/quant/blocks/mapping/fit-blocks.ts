import type { BlockFormat } from "../block-format.ts";
import type { AffineWeight } from "./affine-weight.ts";
import { factorScales } from "./factor-scales.ts";

/** How codes of a run of columns become codes of a block: `factor · code + shift`. */
interface CodeRun {
  /** First column of the block, and the one after the last. */
  readonly begin: number;
  readonly end: number;
  readonly factor: number;
  readonly shift: number;
}

/** The parameters of one block that hold the weights of some columns of a row. */
export interface FittedBlock {
  /** float16 bits. */
  readonly scale: number;
  readonly offset: number;
  /** One a group of the block. */
  readonly subScales: readonly number[];
  readonly subOffsets: readonly number[];
  readonly codes: readonly CodeRun[];
  /** Whether every weight keeps its value; otherwise scale or offset was rounded to float16. */
  readonly exact: boolean;
}

/** What one group of a block must have for the weights of its columns. */
interface GroupNeed {
  readonly scale: number;
  /** What is added. */
  readonly offset: number;
  readonly codes: readonly CodeRun[];
}

/**
 * Finds the parameters of the block of another format that begins at column `start` of a row of
 * `weight`, in which every code becomes one code. Null where the format has none: too few codes,
 * groups that do not fit into its own, offsets that it does not have.
 */
export function fitBlock(
  weight: AffineWeight,
  row: number,
  format: BlockFormat,
  start: number,
): FittedBlock | null {
  const groups = format.columns / format.groupColumns;
  const needs: GroupNeed[] = [];
  for (let group = 0; group < groups; group++) {
    const need = fitGroup(weight, row, format, start, group * format.groupColumns);
    if (!need) return null;
    needs.push(need);
  }
  const [low, high] = format.subScaleRange ?? [1, 1];
  const scales = needs.map(({ scale }) => scale);
  const factored = factorScales(scales, low, high);
  const sign = format.offset === "subtracted" ? -1 : 1;
  const offsets = needs.map(({ offset }) => (offset === 0 ? 0 : sign * offset));
  const largest = format.largestSubOffset;
  const added = factorScales(offsets, largest === null ? 1 : 0, largest ?? 1);
  if (!factored || !added) return null;
  return {
    scale: factored.scale,
    offset: added.scale,
    subScales: factored.factors,
    subOffsets: added.factors,
    codes: needs.flatMap(({ codes }) => codes),
    exact: factored.exact && added.exact,
  };
}

function fitGroup(
  weight: AffineWeight,
  row: number,
  format: BlockFormat,
  start: number,
  begin: number,
): GroupNeed | null {
  const end = begin + format.groupColumns;
  const { groupColumns } = weight;
  const runs: SourceRun[] = [];
  for (let at = begin; at < end; ) {
    const group = Math.floor((start + at) / groupColumns);
    const next = Math.min(end, (group + 1) * groupColumns - start);
    const index = row * weight.groupsPerRow + group;
    const [unit, offset] = [weight.units[index], weight.offsets[index]];
    runs.push({ begin: at, end: next, unit, offset });
    at = next;
  }
  return format.offset === "none"
    ? (fitMultiples(weight, format, runs, 1) ?? fitMultiples(weight, format, runs, -1))
    : fitWithOffset(weight, format, runs);
}

interface SourceRun {
  readonly begin: number;
  readonly end: number;
  readonly unit: number;
  readonly offset: number;
}

/** Weights as whole multiples of one scale, with the sign that is given. */
function fitMultiples(
  { levels, stride }: AffineWeight,
  format: BlockFormat,
  runs: readonly SourceRun[],
  sign: 1 | -1,
): GroupNeed | null {
  const unit = runs.find((run) => run.unit !== 0)?.unit ?? 0;
  const codes: CodeRun[] = [];
  for (const run of runs) {
    const { begin, end } = run;
    if (run.unit === 0) {
      const zero = -format.origin / format.step;
      if (unit !== 0 && !Number.isInteger(zero)) return null;
      codes.push({ begin, end, factor: 0, shift: Math.floor(zero) });
      continue;
    }
    const factor = (sign * stride) / format.step;
    const shift = ((sign * run.offset) / unit - format.origin) / format.step;
    if (run.unit !== unit || !Number.isInteger(factor) || !Number.isInteger(shift)) return null;
    const ends = [shift, shift + factor * (levels - 1)];
    if (Math.min(...ends) < 0 || Math.max(...ends) >= format.levels) return null;
    codes.push({ begin, end, factor, shift });
  }
  return { scale: sign * unit, offset: 0, codes };
}

/** Codes as they are, with the scale and the offset of the group. */
function fitWithOffset(
  { levels, stride }: AffineWeight,
  format: BlockFormat,
  runs: readonly SourceRun[],
): GroupNeed | null {
  const [{ unit, offset }] = runs;
  const isOne = runs.every((run) => run.unit === unit && run.offset === offset);
  if (!isOne || levels > format.levels) return null;
  const codes = runs.map(({ begin, end }) => ({ begin, end, factor: 1, shift: 0 }));
  // What the format's own origin and step would add to a code is in the offset already.
  const scale = (unit * stride) / format.step;
  return { scale, offset: offset - scale * format.origin, codes };
}
