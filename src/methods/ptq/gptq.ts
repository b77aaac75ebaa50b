import { z } from "zod";
import {
  activationOrder,
  groupAwareOrder,
  permuteColumns,
} from "../../calibration/statistics/column-order.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import {
  type BlockScheme,
  hasIndependentGroups,
  type PlanarScheme,
  type Scheme,
} from "../../quant/scheme.ts";
import { cast } from "../../tensor/ops.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { BlockQuantizer } from "../shared/block-quantizer.ts";
import { chooseBlocks } from "../shared/block-search.ts";
import { importanceOfEnergies } from "../shared/importance-of-energies.ts";
import { tokenLossOption } from "../shared/block-training-options.ts";
import { count, flag, positive } from "../shared/option-kinds.ts";
import {
  type ColumnGroup,
  ColumnQuantizer,
  columnGroups,
  roundToNearest,
} from "../shared/quantize-columns.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

const panelColumns = 128;

const options = z.object({
  damping: positive(0.1, "added to the Hessian's diagonal, as a fraction of its mean"),
  dampingStep: positive(
    0.01,
    "how much more is added each time the Hessian is not positive definite",
  ),
  dampingTries: count(20, "how often that is tried"),
  activationOrder: flag(
    false,
    "quantize columns in order of falling activation energy (desc_act), static groups",
  ),
  staticGroups: flag(false, "take each group's scale from the original weights"),
  groupAware: flag(true, "order columns within groups, and whole groups, by energy (GAR)"),
  loss: tokenLossOption,
  ...scaleSearchOptions(true),
});

type Options = z.output<typeof options>;

/**
 * GPTQ (arXiv 2210.17323, algorithm 1): columns are quantized one after the other, and the error of
 * each is carried on to the columns not yet quantized through the Cholesky factor U of the inverse
 * Hessian, `H = Σ x·xᵀ + λ·I`, `H⁻¹ = Uᵀ·U`. A constant factor on H cancels, so the sum needs no
 * scaling.
 *
 * Deviations from the authors' code: the clipping search is on by default; U comes from one
 * reversed Cholesky factorisation in float64; scales are rounded to float16 before codes are
 * chosen; a group's scale is read from weights that carry all earlier errors, also when the group
 * is shorter than a panel; channels that never fired keep their weights.
 *
 * Under schemes of blocks the search of ggml finds scale and offset of a block when its first
 * column comes, with the columns' energies for importance, and what a group has of these is found
 * anew when the group's first column comes: both from weights that carry all earlier errors.
 */
export default defineMethod({
  id: "gptq",
  title: "GPTQ",
  summary: "rounds column by column; later columns make up for the error",
  role: "quantizer",
  paper: { arxiv: "2210.17323" },
  needs: { statistics: ["hessian"] },
  compensates: true,
  supports: (scheme) => scheme.blocks !== null || hasIndependentGroups(scheme),
  budget: (_, { data: { windows, window }, shape: { widest } }) =>
    windows * window < widest
      ? `GPTQ has ${windows} × ${window} calibration tokens for layers of ${widest} columns: ` +
        "with fewer tokens than columns their errors are known in some directions only; use " +
        `\`samples\` of at least ${Math.ceil(widest / window)}, better ten times that`
      : null,
  options,
  weighsTokens: ({ loss }) => loss === "relative",
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { name, scheme, hessian, options: chosen } = problem;
  if (problem.tooFew !== undefined) {
    const energies = hessian && (await hessian.energies());
    return roundInstead(problem, energies, problem.tooFew);
  }
  if (!hessian) throw new NumericError(`${name}: GPTQ needs a Hessian, and none was gathered`);
  const energies = await hessian.energies();
  const order = columnOrder(energies, scheme, chosen);
  const inverse = await hessian.inverseFactor(chosen, order);
  if (!inverse) {
    const tries = `Hessian not positive definite after ${chosen.dampingTries} dampings`;
    return roundInstead(problem, energies, tries);
  }
  const { weight } = problem;
  const isFitted = chosen.activationOrder || chosen.staticGroups;
  const original = isFitted && order ? cast(weight, "f32") : weight;
  if (order) await permuteColumns(weight, order);
  const work = { original, weight, order, factor: inverse.factor };
  const quantized = scheme.blocks
    ? await quantizeToBlocks(work, scheme, importanceOfEnergies(energies), chosen)
    : await quantizePlanar(work, scheme, chosen);
  if (original !== weight) original.release();
  return { weight: quantized, damping: inverse.damping };
}

/** Rounds a layer to nearest, with the search for clipping ranges, where its inputs say too little. */
async function roundInstead(
  { weight, scheme, options: chosen }: LinearProblem<Options>,
  energies: Float64Array | null,
  why: string,
): Promise<QuantizedLinear> {
  return {
    weight: scheme.blocks
      ? await chooseBlocks(weight, scheme, energies && importanceOfEnergies(energies))
      : await roundToNearest(weight, scheme, scaleSearch(chosen)),
    fallback: `${why}: rounded to nearest`,
  };
}

/** A weight whose columns stand in `order`, in which the factor has them, too. */
interface OrderedWeight {
  /** The weight with its columns in their places, for what is fitted to it before any error. */
  readonly original: Tensor<"f32">;
  readonly weight: Tensor<"f32">;
  readonly order: Int32Array | null;
  readonly factor: Tensor<"f32">;
}

async function quantizePlanar(
  { original, weight, order, factor }: OrderedWeight,
  scheme: PlanarScheme,
  chosen: Options,
): Promise<QTensor> {
  const columns = weight.shape[1] ?? 0;
  const groupOf = order?.map((column) =>
    scheme.groupSize ? Math.floor(column / scheme.groupSize) : 0,
  );
  const quantizer = new ColumnQuantizer(weight, scheme, scaleSearch(chosen), groupOf);
  if (chosen.activationOrder || chosen.staticGroups) {
    quantizer.fitAll(original);
    carryErrors(quantizer, columnGroups(columns, null), factor, true);
  } else {
    const groups = groupOf ? groupsInOrder(groupOf) : columnGroups(columns, scheme.groupSize);
    carryErrors(quantizer, groups, factor, false);
  }
  return quantizer.finish(order ?? undefined);
}

/** Blocks are fitted in the order that columns come in, unless that takes them apart. */
function quantizeToBlocks(
  { original, weight, order, factor }: OrderedWeight,
  scheme: BlockScheme,
  importance: Float32Array,
  chosen: Options,
): Promise<QTensor> {
  if (order && chosen.activationOrder) {
    const groupOf = order.map((column) => Math.floor(column / scheme.groupSize));
    const quantizer = new BlockQuantizer(weight, scheme, importance, groupOf);
    quantizer.fitAll(original);
    quantizer.quantizeAll(factor);
    return quantizer.finish(order);
  }
  const ofColumns = order ? Float32Array.from(order, (column) => importance[column]) : importance;
  const quantizer = new BlockQuantizer(weight, scheme, ofColumns);
  if (chosen.staticGroups) {
    quantizer.fitAll();
    quantizer.quantizeAll(factor);
  } else {
    quantizer.fitAndQuantize(factor);
  }
  return quantizer.finish(order, true);
}

/** Runs over the panels of each group; a group's scale is found at its first column. */
function carryErrors(
  quantizer: ColumnQuantizer,
  groups: readonly ColumnGroup[],
  factor: Tensor<"f32">,
  fixedScales: boolean,
): void {
  for (const { group, start, end } of groups) {
    if (!fixedScales) quantizer.fit(group, start, end);
    for (let panel = start; panel < end; panel += panelColumns) {
      quantizer.quantize(panel, Math.min(end, panel + panelColumns), factor);
    }
  }
}

/** The groups in which columns come, where these stay whole. */
function groupsInOrder(groupOf: Int32Array): ColumnGroup[] {
  const starts = [...groupOf.keys()].filter((j) => j === 0 || groupOf[j] !== groupOf[j - 1]);
  return starts.map((start, i) => ({
    group: groupOf[start],
    start,
    end: starts[i + 1] ?? groupOf.length,
  }));
}

function columnOrder(
  energies: Float64Array,
  { blocks, groupSize }: Scheme,
  chosen: Options,
): Int32Array | null {
  if (chosen.activationOrder) return activationOrder(energies);
  if (!chosen.groupAware) return null;
  if (blocks) return groupAwareOrder(energies, blocks.columns, blocks.groupColumns);
  return groupAwareOrder(energies, groupSize ?? energies.length);
}
