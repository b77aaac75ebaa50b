import type { ExportPlan } from "../quantize/export/export-format.ts";
import type { ExportResult } from "../quantize/export/index.ts";
import type { OnnxExport } from "../quantize/export/onnx/onnx.ts";
import type { ContainerExport } from "../quantize/export/containers/write-container.ts";
import type { MlxExport } from "../quantize/export/mlx/mlx.ts";
import type { GgufExport } from "../quantize/export/gguf/gguf.ts";
import {
  formatBytes,
  formatCount,
  formatNumber,
  formatPercentage,
  formatPlural,
  printable,
} from "./format.ts";
import { formatTable } from "./table.ts";
import type { Layout } from "./style.ts";

/** Lists what an export would write: tensors with types and sizes, and the files to the byte. */
export function formatExportPlan(plan: ExportPlan, layout: Layout): string[] {
  const columns = [
    { header: "tensor", minWidth: 16, keep: "end" as const },
    { header: "shape", dropOrder: 2 },
    { header: "type" },
    { header: "bytes", align: "right" as const },
    { header: "", minWidth: 12, dropOrder: 1 },
  ];
  const rows = plan.tensors.map(({ name, shape, type, sizeBytes, note }) => [
    printable(name),
    shape.join(" × "),
    type,
    formatCount(sizeBytes),
    note ?? "",
  ]);
  const files = plan.files.map(
    ({ path, sizeBytes }) => `  ${printable(path)} · ${formatCount(sizeBytes)} bytes`,
  );
  const all = plan.files.length > 1 ? [`  together ${formatCount(plan.sizeBytes)} bytes`] : [];
  return [...formatTable(columns, rows, layout), "", ...files, ...all];
}

/** Says what an export wrote, what it cost the weights, and what was compared. */
export function formatExport(result: ExportResult): string[] {
  const wrote = `  wrote ${printable(result.out)} · ${formatBytes(result.sizeBytes)}`;
  if (result.format === "onnx") return [wrote, ...formatOnnx(result)];
  if ("modules" in result) return [wrote, ...formatContainer(result)];
  if (result.format === "mlx") return [wrote, ...formatCompared(result.verification)];
  if (result.format !== "gguf") return [wrote];
  const { files, types, loss, verification } = result;
  const parts = files.length > 1 ? ` in ${formatPlural(files.length, "part")}` : "";
  const kinds = Object.entries(types).map(([type, { tensors }]) => `${tensors} ${type}`);
  return [
    wrote + parts,
    `  ${kinds.join(" · ")}`,
    ...(loss ? formatLoss(loss) : ["  every weight has the value that it had"]),
    ...(verification ? formatVerification(verification) : []),
  ];
}

function formatOnnx({ dtype, rounded, verification }: OnnxExport): string[] {
  const kept =
    rounded === 0
      ? "every weight has the value that it had"
      : `${formatPlural(rounded, "tensor")} rounded once`;
  return [`  dtype ${dtype} for transformers.js · ${kept}`, ...formatCompared(verification)];
}

function formatContainer({ modules, rounded, verification }: ContainerExport): string[] {
  const kept =
    rounded === 0
      ? "every weight has the value that it had"
      : `scales of ${formatPlural(rounded, "module")} were rounded to float16`;
  const compared = formatCompared(verification);
  const { rounded: layers } = verification ?? {};
  const apart = layers
    ? [
        `            ${formatPlural(layers.layers, "module")} with rounded scales within ` +
          `${share(layers.largestDifference)} of the largest weight (${printable(layers.worst)})`,
      ]
    : [];
  return [`  ${formatPlural(modules, "packed module")} · ${kept}`, ...compared, ...apart];
}

/** What was read again and found equal, of formats without ids and logits to compare. */
function formatCompared(
  verification: (OnnxExport | ContainerExport | MlxExport)["verification"],
): string[] {
  if (!verification) return [];
  return [
    `  verified: ${formatPlural(verification.tensors, "tensor")} read again, ` +
      `${formatCount(verification.sameWeights)} weights equal to the bit`,
  ];
}

function formatLoss(loss: NonNullable<GgufExport["loss"]>): string[] {
  const types = Object.entries(loss.types).map(
    ([type, { relativeError }]) => `${type} ${share(relativeError)}`,
  );
  return [
    `  rounding changed ${formatCount(loss.changed)} of ${formatCount(loss.weights)} weights by ` +
      `${share(loss.relativeError)} (relative RMS error): ${types.join(", ")}`,
    `  most in ${printable(loss.worst.name)} (${loss.worst.type}): ` +
      share(loss.worst.relativeError),
  ];
}

/** Three digits of a share, as a percentage: losses are small. */
function share(value: number): string {
  return `${formatNumber(100 * value)} %`;
}

function formatVerification(verification: NonNullable<GgufExport["verification"]>): string[] {
  const { tensors, sameWeights, tokens, logits } = verification;
  return [
    `  verified: ${formatPlural(tensors, "tensor")} read again, ${formatCount(sameWeights)} ` +
      "weights equal to the bit",
    `            ${formatPlural(tokens, "token")} of a probing text the same; logits of ` +
      `${formatPlural(logits.positions, "position")} within ` +
      `${share(logits.largestDifference)} of the largest, ` +
      `${formatPercentage(logits.sameTop)} with the same first token`,
  ];
}
