import { moveBySign } from "../tensor/rounding-ops.ts";
import type { Tensor } from "../tensor/tensor.ts";
import type { Optimizer, OptimizerStep } from "./optimizer.ts";
import { momentumState } from "./momentum-state.ts";
import { expectGroups, type Gradients, type Parameter } from "./parameter.ts";

/** What the parameters of one group have in common. */
export interface SignDescentGroup {
  /** Largest step; the schedule's factor multiplies it. */
  readonly learningRate: number;
  /** Values are kept within; default: they are not. */
  readonly within?: readonly [low: number, high: number];
}

/** How signed gradient descent moves parameters: each step by the learning rate, up or down. */
export interface SignDescentSettings {
  readonly kind: "sign-descent";
  /** By the name that `Parameter.group` has. */
  readonly groups: Readonly<Record<string, SignDescentGroup>>;
  /** Factor on the sum of earlier gradients, whose sign decides. Default 0. */
  readonly momentum?: number;
}

/** Signed gradient descent over groups of parameters; the sums of gradients begin at 0. */
export class SignDescent implements Optimizer {
  readonly state: ReadonlyMap<string, Tensor<"f32">>;
  private readonly parameters: readonly Parameter[];
  private readonly settings: SignDescentSettings;

  /** @throws UsageError when a parameter's group has no settings, or one is out of range */
  constructor(parameters: readonly Parameter[], settings: SignDescentSettings) {
    expectGroups(parameters, settings.groups);
    this.parameters = parameters;
    this.settings = settings;
    this.state = momentumState(parameters, settings.momentum ?? 0, "sum");
  }

  step(gradients: Gradients, { rate }: OptimizerStep): void {
    const { momentum = 0, groups } = this.settings;
    for (const [i, { name, value, group }] of this.parameters.entries()) {
      const gradient = gradients[i];
      if (!gradient) continue;
      const { learningRate, within = [-Infinity, Infinity] } = groups[group];
      const [low, high] = within;
      const options = { learningRate: learningRate * rate, momentum, low, high };
      moveBySign(value, this.state.get(`${name}:sum`) ?? null, gradient, options);
    }
  }

  release(): void {
    for (const sum of this.state.values()) sum.release();
  }
}
