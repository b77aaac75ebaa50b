import { type GridRange, recoverGroup, worstMiss } from "../../quant/recover-grid.ts";
import { QTensor } from "../../quant/q-tensor.ts";
import { hasIndependentGroups, type Scheme } from "../../quant/scheme.ts";
import { expectWholeBlocks } from "../../quant/scheme.ts";
import { FormatError, SchemeError } from "../../util/errors.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
} from "../../util/half.ts";
import type { Checkpoint } from "../checkpoint.ts";
import { readFloatTensor } from "../read-float-tensor.ts";
import { quoteName } from "../wording.ts";
import type { ForeignContainer, ForeignWeight } from "./foreign-container.ts";
import { expectTensor, floatDTypes } from "./module-tensors.ts";

/** How floats of a dtype are rounded, and how far that takes them at most, relatively. */
const roundings = {
  f16: [(value: number): number => halfBitsToFloat(floatToHalfBits(value)), 2 ** -11],
  bf16: [(value: number): number => bfloatBitsToFloat(floatToBfloatBits(value)), 2 ** -8],
  f32: [Math.fround, 2 ** -23],
} as const;

/**
 * A checkpoint of float weights that were trained on the grid of a scheme, such as Google's
 * unquantized QAT checkpoints: the scales are recovered, not fitted. Every weight must be a value of
 * the grid, rounded to the float type, or the checkpoint is refused.
 * @param names modules whose weights are on the grid
 * @throws SchemeError for schemes whose groups have more than a scale
 */
export function qatGrid(scheme: Scheme, names: readonly string[]): ForeignContainer {
  const range = rangeOf(scheme);
  return {
    find: (checkpoint) => ({
      title: `float weights on the grid of ${scheme.id}`,
      config: checkpoint.config,
      notices: [],
      modules: names.map((name) => ({
        name,
        tensors: [`${name}.weight`],
        open: () => openWeight(checkpoint, name, scheme, range),
      })),
    }),
  };
}

/** Whole numbers that the values of a scheme are, in steps. */
function rangeOf(scheme: Scheme): GridRange {
  const { grid, blocks } = scheme;
  const low = grid.origin / grid.step;
  const isPlain = blocks
    ? blocks.offset === "none" && blocks.subScaleRange === null
    : hasIndependentGroups(scheme) && !grid.values && grid.zeroPoint === "none";
  if (isPlain && Number.isInteger(low)) return { low, high: low + grid.levels - 1 };
  throw new SchemeError(`scheme ${scheme.id}: its scales cannot be recovered from float weights`, {
    hint: "recovered are scales of groups without zero point: q4_0, q8_0, w4g32-sym, w1.58",
  });
}

async function openWeight(
  checkpoint: Checkpoint,
  name: string,
  scheme: Scheme,
  range: GridRange,
): Promise<ForeignWeight> {
  const weight = `${name}.weight`;
  const { dtype, shape } = expectTensor(checkpoint, weight, floatDTypes, [null, null]);
  const [outFeatures, inFeatures] = shape;
  expectWholeBlocks(scheme, inFeatures);
  const rounding = roundings[dtype as keyof typeof roundings];
  const { values } = await readFloatTensor(checkpoint, weight);
  const width = scheme.blocks?.groupColumns ?? scheme.groupSize ?? inFeatures;
  const { codes, scales } = recover(weight, values, inFeatures, width, range, rounding);
  const chosen = { outFeatures, inFeatures, codes, scales };
  const noFactors = { offsets: null, subScales: null, subOffsets: null };
  return {
    outFeatures,
    inFeatures,
    scheme,
    pack: async () =>
      scheme.blocks
        ? QTensor.packBlocks(scheme, { ...chosen, ...noFactors })
        : QTensor.pack(scheme, chosen),
    decode: async () => (await readFloatTensor(checkpoint, weight)).values,
  };
}

/** @throws FormatError with the group that is farthest off, where one is not on the grid */
function recover(
  name: string,
  values: Float32Array,
  inFeatures: number,
  width: number,
  range: GridRange,
  [round, spacing]: readonly [(value: number) => number, number],
): { readonly codes: Uint8Array; readonly scales: Uint16Array } {
  const perRow = Math.ceil(inFeatures / width);
  const groups = (values.length / inFeatures) * perRow;
  const scales = new Uint16Array(groups);
  const codes = new Uint8Array(values.length);
  let missing = 0;
  let worst = { miss: 0, row: 0, column: 0 };
  for (let group = 0; group < groups; group++) {
    const [row, column] = [Math.floor(group / perRow), (group % perRow) * width];
    const at = row * inFeatures + column;
    const own = values.subarray(at, at + Math.min(width, inFeatures - column));
    const found = recoverGroup(own, range, round, spacing);
    if (found) {
      scales[group] = found.scale;
      for (let i = 0; i < own.length; i++) codes[at + i] = found.numbers[i] - range.low;
      continue;
    }
    missing++;
    if (missing > 100) continue;
    const miss = worstMiss(own, range, spacing);
    if (miss > worst.miss) worst = { miss, row, column };
  }
  if (missing === 0) return { codes, scales };
  throw new FormatError(
    `tensor ${quoteName(name)}: ${missing} of ${groups} groups are not on the grid: the worst, in row ` +
      `${worst.row} from column ${worst.column} on, misses it by ${worst.miss.toPrecision(2)} steps`,
    { hint: "the checkpoint was not trained on this grid; `quantize` fits scales to it" },
  );
}
