import { Linear } from "../../nn/linear.ts";
import type { Block, ScaleGroup } from "../../nn/quantizable-model.ts";
import { floatLinear, inputSlot, readWeights } from "../../nn/scale-channels.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { weightedSum } from "../../util/elementwise.ts";
import { NumericError } from "../../util/errors.ts";
import type { BlockProblem } from "../define-method.ts";
import { partLoss, type WeighedInputs } from "./part-loss.ts";
import { quadraticForms } from "./quadratic-loss.ts";

/** Other weights `[out, in]` for the consumers of a group, by slot. */
export type Candidates = ReadonlyMap<string, Float32Array>;

/** Judges other weights for the consumers of a scale group by what the group's scope puts out. */
export interface GroupLoss {
  /** `Σ y²` of the scope's output with the weights as they are. */
  readonly energy: number;
  /** `Σ (y − ŷ)²` with other weights in the consumers' slots, which are put back afterwards. */
  readonly measure: (candidates: Candidates) => Promise<number>;
  /** Gives the memory back. */
  readonly release: () => void;
}

/**
 * Makes the judge of a group: the outputs of attention or MLP are compared on the inputs
 * given; outputs of linear layers by the second moments of their inputs, which stand for all calibration tokens.
 */
export async function groupLoss(
  problem: BlockProblem<unknown>,
  group: ScaleGroup,
  weighed: WeighedInputs,
): Promise<GroupLoss> {
  if (group.scope === "consumers") return linearLoss(problem, group);
  const loss = await partLoss(problem, group.scope, weighed);
  const measure = (candidates: Candidates) => withWeights(problem.block, candidates, loss.measure);
  return { ...loss, measure };
}

/** Second moments `Σ x·xᵀ [in, in]` of a slot's inputs. @throws NumericError without any */
export async function momentsOf(
  problem: Pick<BlockProblem<unknown>, "block" | "statisticsOf">,
  slot: string,
): Promise<Float32Array> {
  const moments = await problem.statisticsOf(slot)?.hessian?.moments();
  if (moments) return new Float32Array(moments);
  throw new NumericError(`${problem.block.name}.${slot}: no second moments were gathered`);
}

async function linearLoss(problem: BlockProblem<unknown>, group: ScaleGroup): Promise<GroupLoss> {
  const { block } = problem;
  const { weight } = floatLinear(block, group.consumers[0]);
  const width = weight.shape[1] ?? 0;
  const values = await momentsOf(problem, inputSlot(group));
  const moments = Tensor.from(weight.backend, "f32", [width, width], values);
  const originals = await readWeights(block, group.consumers);
  const total = async (differences: Iterable<Float32Array>): Promise<number> => {
    let sum = 0;
    for (const values of differences) {
      const rows = Tensor.from(weight.backend, "f32", [values.length / width, width], values);
      for (const loss of await quadraticForms(rows, moments)) sum += loss;
    }
    return sum;
  };
  const changeOf = (name: string, values: Float32Array): Float32Array => {
    const original = originals.get(name) ?? values;
    return weightedSum(1, values, -1, original);
  };
  return {
    energy: await total(originals.values()),
    measure: (candidates) => total([...candidates].map(([name, values]) => changeOf(name, values))),
    release: () => moments.release(),
  };
}

/** Runs `measure` with other weights in the slots of a block. */
async function withWeights(
  block: Block,
  candidates: Candidates,
  measure: () => Promise<number>,
): Promise<number> {
  const slots = block.slots.filter(({ name }) => candidates.has(name));
  const layers = slots.map(({ layer }) => layer);
  const weights: Tensor[] = [];
  for (const slot of slots) {
    const { weight, bias } = floatLinear(block, slot.name);
    const values = candidates.get(slot.name) as Float32Array;
    const candidate = Tensor.from(weight.backend, "f32", weight.shape, values);
    weights.push(candidate);
    slot.layer = new Linear(weight.backend, candidate, bias);
  }
  try {
    return await measure();
  } finally {
    slots.forEach((slot, i) => {
      slot.layer = layers[i];
    });
    for (const weight of weights) weight.release();
  }
}
