import { AdamW, type AdamWSettings } from "./adamw.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Parameter } from "./parameter.ts";
import { SignDescent, type SignDescentSettings } from "./sign-descent.ts";

/** An optimizer and its settings. */
export type OptimizerSettings = AdamWSettings | SignDescentSettings;

/** Makes the optimizer. @throws UsageError when a setting is missing or out of range */
export function makeOptimizer(
  parameters: readonly Parameter[],
  settings: OptimizerSettings,
): Optimizer {
  return settings.kind === "sign-descent"
    ? new SignDescent(parameters, settings)
    : new AdamW(parameters, settings);
}
