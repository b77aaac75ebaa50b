import { parseScheme, withoutActivations } from "../../../quant/scheme.ts";
import type { AllocationChoice } from "./allocation-problem.ts";

/** The choices of a layer as a table: by levels of its weights, and of its inputs. */
export interface LayerActions {
  readonly weightLevels: number;
  readonly inputLevels: number;
  /** Index of the choice at two levels, or of that of the same weights nearest to it. */
  readonly at: (weightLevel: number, inputLevel: number) => number;
}

/** Orders the choices of a layer by bits of its weights and of its inputs, few first. */
export function actionsOf(choices: readonly AllocationChoice[]): LayerActions {
  const parts = choices.map(({ scheme, costs }, choice) => {
    const parsed = parseScheme(scheme);
    const weights = withoutActivations(parsed).id;
    return { choice, weights, inputs: parsed.activation?.bits ?? 16, bytes: costs[0] };
  });
  const byBytes = [...parts].sort((a, b) => a.bytes - b.bytes);
  const weights = [...new Set(byBytes.map((part) => part.weights))];
  const inputs = [...new Set(parts.map((part) => part.inputs))].sort((a, b) => a - b);
  return {
    weightLevels: weights.length,
    inputLevels: inputs.length,
    at: (weightLevel, inputLevel) => {
      const own = parts.filter((part) => part.weights === weights[weightLevel]);
      const distance = (part: { readonly inputs: number }): number =>
        Math.abs(part.inputs - inputs[inputLevel]);
      return own.reduce((a, b) => (distance(b) < distance(a) ? b : a)).choice;
    },
  };
}
