import { z } from "zod";
import {
  activationOrder,
  groupAwareOrder,
  permuteColumns,
} from "../../calibration/statistics/column-order.ts";
import { hasIndependentGroups, type Scheme } from "../../quant/scheme.ts";
import type { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import { count, flag, positive } from "../shared/option-kinds.ts";
import { ColumnQuantizer, columnGroups, roundToNearest } from "../shared/quantize-columns.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

const panelColumns = 128;

const options = z.object({
  damping: positive(0.01, "added to the Hessian's diagonal, as a fraction of its mean"),
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
  groupAware: flag(false, "order columns within groups, and whole groups, by energy (GAR)"),
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
 */
export default defineMethod({
  id: "gptq",
  title: "GPTQ",
  summary: "rounds column by column and lets later columns make up for the error",
  role: "quantizer",
  paper: { arxiv: "2210.17323" },
  needs: { statistics: ["hessian"] },
  compensates: true,
  supports: hasIndependentGroups,
  options,
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { name, scheme, hessian, options: chosen } = problem;
  if (!hessian) throw new NumericError(`${name}: GPTQ needs a Hessian, and none was gathered`);
  const search = scaleSearch(chosen);
  const order = columnOrder(await hessian.energies(), scheme, chosen);
  const inverse = await hessian.inverseFactor(chosen, order);
  if (!inverse) {
    return {
      weight: await roundToNearest(problem.weight, scheme, search),
      fallback:
        `Hessian not positive definite after ${chosen.dampingTries} dampings: rounded to ` +
        "nearest",
    };
  }
  const weight = order ? await permuteColumns(problem.weight, order) : problem.weight;
  const groupOf = order?.map((column) =>
    scheme.groupSize ? Math.floor(column / scheme.groupSize) : 0,
  );
  const quantizer = new ColumnQuantizer(weight, scheme, search, groupOf);
  const fixedScales = order !== null || chosen.staticGroups;
  if (fixedScales) quantizer.fitAll(problem.weight);
  carryErrors(quantizer, inverse.factor, fixedScales);
  const quantized = await quantizer.finish(order ?? undefined);
  if (order) weight.release();
  return { weight: quantized, damping: inverse.damping };
}

/** Runs over the panels; unless scales are fixed, a group's is found at its first column. */
function carryErrors(
  quantizer: ColumnQuantizer,
  factor: Tensor<"f32">,
  fixedScales: boolean,
): void {
  const columns = quantizer.weight.shape[1] ?? 0;
  const groups = columnGroups(columns, fixedScales ? null : quantizer.scheme.groupSize);
  for (const { group, start, end } of groups) {
    if (!fixedScales) quantizer.fit(group, start, end);
    for (let panel = start; panel < end; panel += panelColumns) {
      quantizer.quantize(panel, Math.min(end, panel + panelColumns), factor);
    }
  }
}

function columnOrder(energies: Float64Array, scheme: Scheme, chosen: Options): Int32Array | null {
  if (chosen.activationOrder) return activationOrder(energies);
  if (chosen.groupAware && scheme.groupSize) return groupAwareOrder(energies, scheme.groupSize);
  return null;
}
