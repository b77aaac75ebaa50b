import { z } from "zod";
import { RoundedWeight } from "../../quant/rounded-weight.ts";
import { withoutActivations } from "../../quant/scheme.ts";
import { addRoundingPenalty } from "../../tensor/soft-rounding-ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { AdamWSettings } from "../../training/adamw.ts";
import type { DivergenceLimits } from "../../training/divergence-guard.ts";
import type { Gradients, Parameter } from "../../training/parameter.ts";
import { moveToStart } from "./latent-from-start.ts";
import { nonNegative, positiveIfGiven, share } from "./option-kinds.ts";
import { roundToNearest, type ScaleSearch } from "./quantize-columns.ts";
import type { LatentStart, SlotToTrain } from "./trained-slots.ts";

const power = (usual: number, help: string) => z.number().min(1).default(usual).describe(help);

/** Options of methods that train which way weights are rounded. */
export const roundingOptions = {
  learningRate: positiveIfGiven(
    "learning rate of the rounding variables, of Adam (unless given: 20/iters)",
  ),
  penalty: nonNegative(0.01, "weight of what pushes roundings to one side or the other"),
  warmUp: share(0.2, "share of the steps before that begins"),
  firstPower: power(20, "its exponent then: it leaves roundings in the middle alone"),
  lastPower: power(2, "its exponent at the end, towards which it falls in a line"),
};

/** Options as `roundingOptions` reads them. */
type RoundingOptions = z.output<z.ZodObject<typeof roundingOptions>>;

/** Distance that all steps of Adam together can move a variable; h(v) is clipped from 2.4 on. */
const reach = 20;
/** How many steps inside of a bin a weight comes to stand that another quantizer has in it. */
const margin = 0.1;
/** Steps between judgements are this share of all. */
const judgements = 5;

/** How roundings are moved; gradients are far below 1, of any size. */
export function roundingOptimizer({ learningRate }: RoundingOptions, steps: number): AdamWSettings {
  return {
    groups: { weights: { learningRate: learningRate ?? reach / steps } },
    epsilon: 1e-15,
  };
}

/** Steps after which what roundings have come to is judged, with every weight on the grid. */
export function judgeEvery(steps: number): number {
  return Math.ceil(steps / judgements);
}

/** Weights begin between values of the grid, without error: their loss rises as they get there. */
export const roundingGuard: DivergenceLimits = { margin: Number.POSITIVE_INFINITY };

/**
 * The exponent of the penalty at a step (from 0) of so many; null during the warm-up. With t = step
 * + 1 of T and the warm-up w it is `last + (first − last)·(1 − (t − w·T)/(T − w·T))`.
 */
export function penaltyPower(
  { warmUp, firstPower, lastPower }: RoundingOptions,
  step: number,
  steps: number,
): number | null {
  const begin = warmUp * steps;
  const count = step + 1;
  if (count < begin) return null;
  const left = begin < steps ? 1 - (count - begin) / (steps - begin) : 0;
  return lastPower + (firstPower - lastPower) * left;
}

/** Adds `scale` times the penalty's gradients to those of a step. */
export function penalize(
  options: RoundingOptions,
  parameters: readonly Parameter[],
  gradients: Gradients,
  { step, steps, scale }: { readonly step: number; readonly steps: number; readonly scale: number },
): void {
  const exponent = penaltyPower(options, step, steps);
  if (exponent === null || options.penalty === 0) return;
  for (const [i, { value, group }] of parameters.entries()) {
    const gradient = gradients[i];
    if (gradient && group === "weights")
      addRoundingPenalty(gradient, value, options.penalty * scale, exponent);
  }
}

/** A weight that begins with what another quantizer chose, or with rounding to nearest. */
export async function roundedStart(
  { weight, scheme, start }: Pick<SlotToTrain, "weight" | "scheme" | "start">,
  search: ScaleSearch,
): Promise<
  LatentStart & { readonly weight: RoundedWeight; readonly packed: LatentStart["packed"] }
> {
  if (start) await moveToStart(weight, start, margin);
  const packed = start ?? (await roundCopy(weight, withoutActivations(scheme), search));
  return { weight: await RoundedWeight.startedBy(weight, packed), packed };
}

async function roundCopy(
  weight: Tensor<"f32">,
  scheme: SlotToTrain["scheme"],
  search: ScaleSearch,
) {
  const copy = Tensor.from(weight.backend, "f32", weight.shape, await weight.read());
  try {
    return await roundToNearest(copy, scheme, search);
  } finally {
    copy.release();
  }
}
