import type { Method } from "../methods/define-method.ts";

/**
 * Whether a method works on activations or gradients of calibration text, or trains on it, with
 * these options; without any, whether some of its options make it.
 */
export function needsText(method: Method, options?: Record<string, unknown>): boolean {
  const { needs, trainModel, learnRotation } = method;
  const { floatInputs = false, sensitivities = false } = needs;
  const statistics = (options && method.statistics?.(options)) ?? needs.statistics;
  const trains = (trainModel ?? learnRotation) !== undefined;
  return statistics.length > 0 || floatInputs || sensitivities || trains;
}
