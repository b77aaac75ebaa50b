import type { MachineTable, MeasuredRun } from "../../machines/machine-table.ts";
import { storedBytes } from "../../machines/storage.ts";
import { formatNumber, formatPlural, printable } from "../format.ts";
import { joinParts } from "../plan-summary.ts";
import type { Layout } from "../style.ts";
import { type Cell, formatTable } from "../table.ts";

/** Says what was measured of a machine: its limits, and each storage's products at the largest shape. */
export function formatMachineTable(table: MachineTable, layout: Layout): string[] {
  const { machine, level } = table;
  return [
    ...joinParts(
      [printable(machine.processor), level, formatPlural(machine.cores, "core")],
      layout,
    ),
    ...table.runs.flatMap((run) => ["", ...formatRun(run, layout)]),
  ];
}

function formatRun(run: MeasuredRun, layout: Layout): string[] {
  const head = [
    formatPlural(run.threads, "thread"),
    `reads ${formatNumber(run.bytesPerSecond / 1e9)} GB/s`,
    `${formatNumber(run.operationsPerSecond / 1e9)} GFLOP/s in float32`,
  ];
  const decoded = run.products.filter(({ tokens }) => tokens === 1);
  const largest = Math.max(...decoded.map((row) => row.outFeatures * row.inFeatures));
  const shown = decoded.filter((row) => row.outFeatures * row.inFeatures === largest);
  const rows = shown.map((row): Cell[] => {
    const { storage, outFeatures, inFeatures, tokens, seconds } = row;
    const giga = storedBytes(storage, outFeatures, inFeatures) / 1e9;
    const prompt = run.products.find(
      (other) =>
        other.tokens !== tokens &&
        other.storage === storage &&
        other.outFeatures === outFeatures &&
        other.inFeatures === inFeatures,
    );
    const operations = (2 * (prompt?.tokens ?? 0) * outFeatures * inFeatures) / 1e9;
    return [
      storage,
      formatNumber(1e6 * seconds.median),
      `${formatNumber(1e6 * seconds.least)} – ${formatNumber(1e6 * seconds.most)}`,
      formatNumber(giga / seconds.median),
      prompt ? formatNumber(operations / prompt.seconds.median) : "",
    ];
  });
  const [first] = shown;
  const shape = first ? `${first.outFeatures} × ${first.inFeatures}` : "";
  const right = "right" as const;
  const columns = [
    { header: shape },
    { header: "µs a token", align: right },
    { header: "least – most", align: right, dropOrder: 1 },
    { header: "GB/s", align: right },
    { header: "prompt GFLOP/s", align: right, dropOrder: 2 },
  ];
  return [...joinParts(head, layout), "", ...formatTable(columns, rows, layout)];
}
