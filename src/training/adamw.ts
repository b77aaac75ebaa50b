import { moveByAdamW } from "../tensor/training-ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import type { Gradients, Parameter } from "./parameter.ts";

/** What the parameters of one group have in common. */
export interface ParameterGroup {
  /** Largest learning rate; the schedule's factor multiplies it. */
  readonly learningRate: number;
  /** Decoupled weight decay. Default 0. */
  readonly weightDecay?: number;
}

/** How AdamW (arXiv 1711.05101) moves parameters. */
export interface AdamWSettings {
  /** By the name that `Parameter.group` has. */
  readonly groups: Readonly<Record<string, ParameterGroup>>;
  /** Decay rates of the moments. Default 0.9 and 0.999. */
  readonly betas?: readonly [beta1: number, beta2: number];
  /** Added to the root of the second moment. Default 1e-8. */
  readonly epsilon?: number;
}

/** First and second moments of one parameter, of its shape. */
export interface Moments {
  readonly first: Tensor<"f32">;
  readonly second: Tensor<"f32">;
}

/** How far one step goes. */
export interface AdamWStep {
  /** Number of the step, from 0. */
  readonly step: number;
  /** Factor of the schedule on the learning rate of every group. */
  readonly rate: number;
  /** Factor on the gradients before anything else: accumulation and clipping. */
  readonly gradientScale: number;
}

/** AdamW over groups of parameters; the moments begin at 0. */
export class AdamW {
  readonly parameters: readonly Parameter[];
  readonly moments: readonly Moments[];
  private readonly settings: AdamWSettings;

  /** @throws UsageError when a parameter's group has no settings, or one is out of range */
  constructor(parameters: readonly Parameter[], settings: AdamWSettings) {
    for (const { name, group } of parameters) {
      if (!Object.hasOwn(settings.groups, group)) {
        throw new UsageError(`parameter ${name} is of the group "${group}", which has no settings`);
      }
    }
    expectSettings(settings);
    this.parameters = parameters;
    this.settings = settings;
    this.moments = parameters.map(({ value: { backend, shape } }) => ({
      first: Tensor.zeros(backend, "f32", shape),
      second: Tensor.zeros(backend, "f32", shape),
    }));
  }

  /** Moves every parameter that has a gradient, in place. */
  step(gradients: Gradients, { step, rate, gradientScale }: AdamWStep): void {
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

  /** Gives the moments back. */
  release(): void {
    for (const { first, second } of this.moments) {
      first.release();
      second.release();
    }
  }
}

function expectSettings({ groups, betas = [0.9, 0.999], epsilon = 1e-8 }: AdamWSettings): void {
  for (const [name, { learningRate, weightDecay = 0 }] of Object.entries(groups)) {
    if (!(learningRate >= 0 && Number.isFinite(learningRate))) {
      throw new UsageError(
        `expected a learning rate of at least 0 for the group "${name}", got ${learningRate}`,
      );
    }
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
