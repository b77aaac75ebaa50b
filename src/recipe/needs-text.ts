import type { Method } from "../methods/define-method.ts";

/** Whether a method works on activations or gradients of calibration text, or trains on it. */
export function needsText({ needs, trainModel, learnRotation }: Method): boolean {
  const { statistics, floatInputs = false, sensitivities = false } = needs;
  const trains = (trainModel ?? learnRotation) !== undefined;
  return statistics.length > 0 || floatInputs || sensitivities || trains;
}
