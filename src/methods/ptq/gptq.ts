import { z } from "zod";
import type { Scheme } from "../../quant/scheme.ts";
import { diagonal, inverseCholesky } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError } from "../../util/errors.ts";
import { defineMethod, type LinearProblem, type QuantizedLinear } from "../define-method.ts";
import {
  activationOrder,
  groupAwareOrder,
  permuteColumns,
  permuteSymmetric,
} from "../shared/column-order.ts";
import { ColumnQuantizer, columnGroups } from "../shared/quantize-columns.ts";
import { scaleSearch, scaleSearchOptions } from "../shared/scale-search.ts";

const panelColumns = 128;

const options = z.object({
  damping: z
    .number()
    .positive()
    .default(0.01)
    .describe("added to the Hessian's diagonal, as a fraction of its mean"),
  dampingStep: z
    .number()
    .positive()
    .default(0.01)
    .describe("how much more is added each time the Hessian is not positive definite"),
  dampingTries: z.number().int().min(1).default(20).describe("how often that is tried"),
  activationOrder: z
    .boolean()
    .default(false)
    .describe("quantize columns in order of falling activation energy (desc_act)"),
  staticGroups: z
    .boolean()
    .default(false)
    .describe("take each group's scale from the original weights (implied by activationOrder)"),
  groupAware: z
    .boolean()
    .default(false)
    .describe("order columns within groups, and groups among each other (GAR)"),
  ...scaleSearchOptions,
});

type Options = z.output<typeof options>;

/**
 * GPTQ (arXiv 2210.17323, algorithm 1): columns are quantized one after the other, and the error of each
 * is carried on to the columns not yet quantized through the Cholesky factor U of the inverse Hessian,
 * `H = Σ x·xᵀ + λ·I`, `H⁻¹ = Uᵀ·U`. A constant factor on H cancels, so the sum needs no scaling.
 *
 * Deviations from the authors' code: U comes from one reversed Cholesky factorisation in float64; scales
 * are rounded to float16 before codes are chosen; a group's scale is read from weights that carry all
 * earlier errors, also when the group is shorter than a panel.
 */
export default defineMethod({
  id: "gptq",
  title: "GPTQ",
  summary: "rounds column by column and lets later columns make up for the error",
  role: "quantizer",
  paper: { arxiv: "2210.17323" },
  needs: { statistics: ["hessian"], order: "sequential" },
  supports: (scheme) => scheme.grid.dim === 1,
  options,
  workspaceBytes: (outFeatures, inFeatures) => 4 * inFeatures ** 2 + outFeatures * inFeatures,
  quantizeLinear,
});

async function quantizeLinear(problem: LinearProblem<Options>): Promise<QuantizedLinear> {
  const { name, scheme, hessian } = problem;
  if (!hessian) throw new NumericError(`${name}: GPTQ needs a Hessian, and none was gathered`);
  const energies = await diagonal(hessian).read();
  const order = columnOrder(energies, scheme, problem.options);
  const weight = order ? await permuteColumns(problem.weight, order) : problem.weight;
  const ordered = order ? await permuteSymmetric(hessian, order) : hessian;
  const factored = await factorise(
    ordered,
    order ? Float64Array.from(order, (column) => energies[column]) : energies,
    problem.options,
  );
  if (!factored) return roundPlainly(problem);
  const quantizer = new ColumnQuantizer(
    weight,
    scheme,
    scaleSearch(problem.options),
    order ? groupsInOrder(order, scheme) : undefined,
  );
  const fixed = order !== null || problem.options.staticGroups;
  if (fixed) quantizer.fitAll(problem.weight);
  carryErrors(quantizer, factored.factor, fixed);
  const quantized = await quantizer.finish(order ?? undefined);
  factored.factor.release();
  return { weight: quantized, damping: factored.damping };
}

/** Runs over the panels; unless scales are fixed, each group's is found when its first column comes up. */
function carryErrors(quantizer: ColumnQuantizer, factor: Tensor<"f32">, fixed: boolean): void {
  const columns = quantizer.weight.shape[1] ?? 0;
  const groups = fixed
    ? [{ group: 0, start: 0, end: columns }]
    : columnGroups(columns, quantizer.scheme.groupSize);
  for (const { group, start, end } of groups) {
    if (!fixed) quantizer.fit(group, start, end);
    for (let panel = start; panel < end; panel += panelColumns) {
      quantizer.quantize(panel, Math.min(end, panel + panelColumns), factor);
    }
  }
}

/** Factorises the damped Hessian; null when no damping within the tries makes it positive definite. */
async function factorise(
  hessian: Tensor<"f64">,
  energies: Float64Array,
  { damping, dampingStep, dampingTries }: Options,
): Promise<{ factor: Tensor<"f32">; damping: number } | null> {
  const mean = energies.reduce((sum, energy) => sum + energy, 0) / energies.length;
  if (!Number.isFinite(mean)) return null;
  for (let tries = 0; tries < dampingTries; tries++) {
    const fraction = damping + tries * dampingStep;
    const damped = energies.map((energy) => (energy || 1) + fraction * mean);
    const diagonalTensor = Tensor.from(hessian.backend, "f64", [damped.length], damped);
    const { u, status } = inverseCholesky(hessian, diagonalTensor);
    if ((await status.read())[0] === 0) return { factor: u, damping: fraction };
    u.release();
  }
  return null;
}

async function roundPlainly({
  weight,
  scheme,
  options,
}: LinearProblem<Options>): Promise<QuantizedLinear> {
  const quantizer = new ColumnQuantizer(weight, scheme, scaleSearch(options));
  quantizer.fitAll();
  quantizer.quantize(0, weight.shape[1] ?? 0, null);
  const fallback = `the Hessian was not positive definite after ${options.dampingTries} dampings; rounded to nearest`;
  return { weight: await quantizer.finish(), fallback };
}

function columnOrder(energies: Float64Array, scheme: Scheme, chosen: Options): Int32Array | null {
  if (chosen.activationOrder) return activationOrder(energies);
  if (chosen.groupAware && scheme.groupSize) return groupAwareOrder(energies, scheme.groupSize);
  return null;
}

function groupsInOrder(order: Int32Array, { groupSize }: Scheme): Int32Array {
  return order.map((column) => (groupSize ? Math.floor(column / groupSize) : 0));
}
