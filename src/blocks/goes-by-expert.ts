import { blockTransformsOf } from "../recipe/recipe.ts";
import type { QuantizationJob } from "../run/quantization-job.ts";

/**
 * Whether the experts of block `index` are read, quantized, run and released one after the other:
 * where the method quantizes layer by layer, given inputs of now, and nothing asks for the whole
 * block, as transforms of blocks, methods that train it, sensitivities and a stream of the original do.
 */
export function goesByExpert(
  { method, recipe, opened }: Pick<QuantizationJob, "method" | "recipe" | "opened">,
  index: number,
): boolean {
  if (opened.model.expertCount(index) === 0) return false;
  const { floatInputs, sensitivities } = method.needs;
  if (method.quantizeBlock || !method.quantizeLinear || floatInputs || sensitivities) return false;
  if (blockTransformsOf(recipe).length > 0) return false;
  return recipe.trueSequential || recipe.calibration === null;
}
