import type { LinearRecord, RunRecord } from "../run/run-record.ts";
import { figures } from "../evaluation/figures.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPlural,
  printable,
} from "./format.ts";
import { figureText } from "./format-figure.ts";
import { formatExperts } from "./expert-summary.ts";
import type { KeptWeights } from "./kept-weights.ts";
import { joinParts } from "./plan-summary.ts";
import type { Layout } from "./style.ts";
import { type Cell, formatTable, textWidth } from "./table.ts";
import { sum } from "../util/sums.ts";

/** Linear layers of one part of the blocks. */
interface LayerGroup {
  readonly label: string;
  readonly bitsPerWeight: number;
  readonly meanError: number;
  readonly worst: LinearRecord;
}

/** Says in one line that a run is finished, what it took, and where its record is. */
export function formatDone(record: RunRecord, layout: Layout): string[] {
  const parts = [
    `done in ${formatDuration(record.elapsedMs)}`,
    `peak memory ${figureText(figures.memory, record)}`,
    `run record in ${printable(recordPlace(record.recipe.out))}`,
  ];
  return joinParts(parts, layout);
}

/** A GGUF file has the record of its run in its metadata. */
function recordPlace(out: string): string {
  return out.endsWith(".gguf") ? `fewbit.run of ${out}` : joinPath(out, "run.json");
}

/**
 * Lays out the closing table of a quantization: bits a weight and relative error by layer group,
 * what was left as it was, the whole file; and below it the layers that had to fall back.
 */
export function formatQuantizationSummary(
  record: RunRecord,
  kept: readonly KeptWeights[],
  layout: Layout,
): string[] {
  const rows: Cell[][] = groupLayers(record.linears).map((group) => [
    group.label,
    { text: formatBits(group.bitsPerWeight), tone: "accent" },
    formatNumber(group.meanError),
    formatNumber(group.worst.relativeError),
    { text: shortModule(group.worst.module), tone: "dim" },
  ]);
  const errorOf = record.linears.some((linear) => linear.errorOf === "outputs")
    ? "output"
    : "weight";
  for (const { roles, bitsPerWeight, relativeError } of record.ends) {
    // A table in front of or behind the blocks has no error at outputs that could stand in the
    // column.
    const error = errorOf === "weight" ? formatNumber(relativeError) : "–";
    const bits: Cell = { text: formatBits(bitsPerWeight), tone: "accent" };
    rows.push([roles.join(", "), bits, error, "", ""]);
  }
  for (const { label, bitsPerWeight } of kept) {
    rows.push([label, formatBits(bitsPerWeight), "–", "", ""]);
  }
  rows.push(["whole file", formatBits(record.bitsPerWeight.file), "", "", ""]);
  const table = formatTable(
    [
      { header: "layer group", minWidth: 15 },
      { header: "bits/weight", align: "right" },
      { header: `${errorOf} error`, align: "right", dropOrder: 1 },
      { header: "worst", align: "right", dropOrder: 2 },
      { header: "", dropOrder: 3, minWidth: 16, keep: "end" },
    ],
    rows,
    layout,
  );
  const last = table.pop() ?? "";
  const size = `${formatBytes(record.sizeBytes)}  (was ${formatBytes(record.sourceBytes)})`;
  const closing = `${last}  ${size}`;
  const ends = textWidth(closing) <= layout.width ? [closing] : [last, `  ${size}`];
  return [...table, ...ends, ...formatExperts(record, layout), ...formatFallbacks(record, layout)];
}

/** Lists the layers that fell back to a simpler method; nothing when there are none. */
function formatFallbacks(record: RunRecord, layout: Layout): string[] {
  const fallen = record.linears.filter((linear) => linear.fallback !== undefined);
  if (fallen.length === 0) return [];
  const shown = fallen.slice(0, 8);
  const rows = shown.map((linear) => [shortModule(linear.module), linear.fallback ?? ""]);
  const more = fallen.length - shown.length;
  return [
    "",
    `  ${formatPlural(fallen.length, "layer")} fell back to a simpler way:`,
    ...formatTable(
      [
        { header: "layer", minWidth: 16, keep: "end" },
        { header: "reason", minWidth: 20 },
      ],
      rows,
      layout,
    ).slice(1),
    ...(more > 0 ? [`  and ${more} more, listed in run.json`] : []),
  ];
}

/** Groups linears of blocks by the part they stand in, in the order they come. */
function groupLayers(linears: readonly LinearRecord[]): LayerGroup[] {
  const members = new Map<string, LinearRecord[]>();
  for (const linear of linears) {
    const label = groupLabel(linear.slot);
    members.set(label, [...(members.get(label) ?? []), linear]);
  }
  return [...members].map(([label, group]) => {
    const weights = sum(group.map((linear) => linear.weights));
    return {
      label,
      bitsPerWeight: sum(group.map((linear) => linear.bitsPerWeight * linear.weights)) / weights,
      meanError: sum(group.map((linear) => linear.relativeError)) / group.length,
      worst: group.reduce((a, b) => (b.relativeError > a.relativeError ? b : a)),
    };
  });
}

function groupLabel(slot: string): string {
  const part = slot.split(".")[0] ?? slot;
  return /^(?:self_attn|attn)$/.test(part) ? "attention" : printable(part);
}

/** `model.layers.3.mlp.down_proj` without what all modules share. */
function shortModule(module: string): string {
  return module.replace(/^.*?\.(?=\d+\.)/, "blocks.");
}

function joinPath(directory: string, file: string): string {
  return `${directory.replace(/\/+$/, "")}/${file}`;
}
