import { moveByAdamW } from "../tensor/training-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { Optimizer, OptimizerStep } from "./optimizer.ts";
import { expectGroups, type Gradients, type Parameter } from "./parameter.ts";

/** What the parameters of one group have in common. */
export interface ParameterGroup {
  /** Largest learning rate; the schedule's factor multiplies it. */
  readonly learningRate: number;
  /** Decoupled weight decay. Default 0. */
  readonly weightDecay?: number;
}

/** How moments are kept: in bfloat16 they are rounded stochastically. */
export const momentDTypes = ["f32", "bf16"] as const;
export type MomentDType = (typeof momentDTypes)[number];

/** How AdamW (arXiv 1711.05101) moves parameters. */
export interface AdamWSettings {
  readonly kind?: "adamw";
  /** By the name that `Parameter.group` has. */
  readonly groups: Readonly<Record<string, ParameterGroup>>;
  /** Decay rates of the moments. Default 0.9 and 0.999. */
  readonly betas?: readonly [beta1: number, beta2: number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
  /** Default f32. */
  readonly moments?: MomentDType;
}

/** First and second moments of one parameter, of its shape. */
export interface Moments {
  readonly first: Tensor<MomentDType>;
  readonly second: Tensor<MomentDType>;
}

/** AdamW over groups of parameters; the moments begin at 0. */
export class AdamW implements Optimizer {
  readonly parameters: readonly Parameter[];
  readonly moments: readonly Moments[];
  private readonly settings: AdamWSettings;

  /** @throws UsageError when a parameter's group has no settings, or one is out of range */
  constructor(parameters: readonly Parameter[], settings: AdamWSettings) {
    expectGroups(parameters, settings.groups);
    expectSettings(settings);
    this.parameters = parameters;
    this.settings = settings;
    const { moments: dtype = "f32" } = settings;
    this.moments = parameters.map(({ value: { backend, shape } }) => ({
      first: Tensor.zeros(backend, dtype, shape),
      second: Tensor.zeros(backend, dtype, shape),
    }));
  }

  get state(): ReadonlyMap<string, Tensor<MomentDType>> {
    return new Map(
      this.parameters.flatMap(({ name }, i) => [
        [`${name}:first`, this.moments[i].first],
        [`${name}:second`, this.moments[i].second],
      ]),
    );
  }

  step(gradients: Gradients, { step, rate, gradientScale }: OptimizerStep): void {
    const [beta1, beta2] = this.settings.betas ?? [0.9, 0.999];
    const epsilon = this.settings.epsilon ?? 1e-8;
    for (const [i, { value, group }] of this.parameters.entries()) {
      const gradient = gradients[i];
      if (!gradient) continue;
      const { learningRate, weightDecay = 0 } = this.settings.groups[group];
      const { first, second } = this.moments[i];
      moveByAdamW(value, first, second, gradient, {
        learningRate: learningRate * rate,
        weightDecay,
        beta1,
        beta2,
        epsilon,
        step: step + 1,
        gradientScale,
      });
    }
  }

  release(): void {
    for (const { first, second } of this.moments) {
      first.release();
      second.release();
    }
  }
}

function expectSettings({ groups, betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWSettings): void {
  for (const [name, { weightDecay = 0 }] of Object.entries(groups)) {
    if (!(weightDecay >= 0 && Number.isFinite(weightDecay))) {
      throw new UsageError(
        `expected a weight decay of at least 0 for the group "${name}", got ${weightDecay}`,
      );
    }
  }
  if (!betas.every((beta) => beta >= 0 && beta < 1) || !(epsilon > 0)) {
    throw new UsageError(
      `expected betas in [0, 1) and an epsilon above 0, got ${betas.join(", ")} and ${epsilon}`,
    );
  }
}
