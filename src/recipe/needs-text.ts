import type { Method } from "../methods/define-method.ts";

/** Whether a method works on activations of calibration text, or trains on it. */
export function needsText({ needs, trainModel, learnRotation }: Method): boolean {
  return (
    needs.statistics.length > 0 ||
    (needs.floatInputs ?? false) ||
    (trainModel ?? learnRotation) !== undefined
  );
}
