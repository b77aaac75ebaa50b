import { findMixture } from "../quant/mixtures.ts";
import type { TrainingEffort } from "../methods/define-method.ts";
import type { Plan } from "../run/plan.ts";
import { describeFit } from "./describe-fit.ts";
import {
  formatBytes,
  formatCount,
  formatEstimateRange,
  formatPlural,
  printable,
} from "./format.ts";
import type { Layout } from "./style.ts";
import { textWidth } from "./table.ts";
import { wrapText } from "./wrap-text.ts";

/**
 * Says in three or four lines what a quantization will do and what it needs: the model, the method
 * with its data and machine, the cost, and which layers stay as they are.
 */
export function formatPlan(plan: Plan, layout: Layout): string[] {
  const quantized = plan.linears.filter((linear) => linear.scheme !== null);
  const kept = plan.linears.length - quantized.length;
  const { estimate, calibration } = plan;
  const model = [
    printable(plan.modelName),
    printable(plan.architecture),
    formatPlural(plan.blocks, "block"),
    `${formatCount(plan.quantizedWeights)} weights in ` +
      `${formatPlural(quantized.length, "linear layer")}`,
  ];
  const work = [
    `${plan.methodTitle} → ${describeSchemes(plan)}`,
    ...plan.ends.flatMap(({ roles, scheme }) =>
      scheme ? [`${roles.join(", ")} ${scheme.id}`] : [],
    ),
    ...(calibration ? [`${calibration.windows} × ${calibration.window} calibration tokens`] : []),
    ...(plan.training ? [describeTraining(plan.training)] : []),
    ...(plan.learning ? [`rotations learned in ${describeTraining(plan.learning)}`] : []),
    ...(plan.outputGradients === null
      ? []
      : [`gradients by outputs: each window through ${formatCount(plan.outputGradients)} blocks`]),
    plan.backend,
    formatPlural(plan.threads, "thread"),
  ];
  const cost =
    `needs about ${formatBytes(estimate.memoryBytes)} memory, ` +
    `${formatEstimateRange(estimate.seconds)}, and writes ${formatBytes(estimate.outputBytes)}`;
  const rest =
    kept > 0
      ? [`${formatPlural(kept, "linear layer")} ${kept === 1 ? "stays" : "stay"} as is`]
      : [];
  return [
    ...joinParts(model, layout),
    ...joinParts(work, layout),
    ...wrapText(`${cost}${describeDisk(plan)}${describeFit(plan.fit)}`, layout.width),
    ...rest.map((line) => `  ${line}`),
  ];
}

/** What lies on the disk meanwhile is written too, and not counted as memory. */
function describeDisk({ activations, sensitivityBytes }: Plan): string {
  const parts = [
    ...(activations?.onDisk
      ? [`activations take ${formatBytes(activations.bytes)} of disk (${activations.dtype})`]
      : []),
    ...(sensitivityBytes === null
      ? []
      : [`squared gradients take ${formatBytes(sensitivityBytes)} of disk`]),
  ];
  return parts.length === 0 ? "" : `; ${parts.join(" and ")} meanwhile`;
}

/** `400 steps of 2,048 tokens`. */
function describeTraining({ steps, microBatchTokens, accumulation }: TrainingEffort): string {
  return `${formatPlural(steps, "step")} of ${formatCount(microBatchTokens * accumulation)} tokens`;
}

/** `w2g64`, with overrides `w2g64, w4g64 (6 layers)`, or `Q4_K_M: q4_k (10 layers), q6_k (4 layers)`. */
function describeSchemes(plan: Plan): string {
  const counts = new Map<string, number>();
  for (const { scheme } of plan.linears) {
    if (scheme) counts.set(scheme.id, (counts.get(scheme.id) ?? 0) + 1);
  }
  const others = [...counts].filter(([id]) => id !== plan.schemeId);
  const main = counts.has(plan.schemeId) || others.length === 0 ? [plan.schemeId] : [];
  const layers = others.map(([id, count]) => `${id} (${formatPlural(count, "layer")})`);
  if (findMixture(plan.schemeId)) return `${plan.schemeId}: ${layers.join(", ")}`;
  return [...main, ...layers].join(", ");
}

/** Joins parts with `·`, in as many lines as the width asks for. */
export function joinParts(parts: readonly string[], layout: Layout, indent = "  "): string[] {
  const lines: string[] = [];
  let line = "";
  for (const part of parts) {
    const longer = line === "" ? indent + part : `${line} · ${part}`;
    if (line !== "" && textWidth(longer) > layout.width) {
      lines.push(line);
      line = indent + part;
    } else {
      line = longer;
    }
  }
  return [...lines, line];
}
