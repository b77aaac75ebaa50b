import { AdamW, type AdamWSettings } from "./adamw.ts";
import { type CayleySettings, CayleySgd } from "./cayley.ts";
import type { Optimizer } from "./optimizer.ts";
import type { Parameter } from "./parameter.ts";
import { SignDescent, type SignDescentSettings } from "./sign-descent.ts";

/** An optimizer and its settings. */
export type OptimizerSettings = AdamWSettings | SignDescentSettings | CayleySettings;

/** Makes the optimizer. @throws UsageError when a setting is missing or out of range */
export function makeOptimizer(
  parameters: readonly Parameter[],
  settings: OptimizerSettings,
): Optimizer {
  switch (settings.kind) {
    case "sign-descent":
      return new SignDescent(parameters, settings);
    case "cayley":
      return new CayleySgd(parameters, settings);
    default:
      return new AdamW(parameters, settings);
  }
}
