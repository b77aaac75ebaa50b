import type { PointResult } from "../../sweep/results/sweep-results.ts";
import type { SweepRow } from "./sweep-row.ts";

type Value = string | number | null;

interface CsvColumn {
  readonly header: string;
  readonly value: (row: SweepRow) => Value;
}

const pointColumns: readonly CsvColumn[] = [
  { header: "model", value: ({ record }) => record.point.model },
  { header: "label", value: ({ record }) => record.point.label },
  { header: "method", value: ({ record }) => record.point.method },
  { header: "preset", value: ({ record }) => record.point.preset },
  { header: "scheme", value: ({ record }) => record.point.scheme },
  { header: "bits", value: ({ record }) => record.point.bits },
  { header: "seed", value: ({ record }) => record.point.seed },
  { header: "status", value: ({ record }) => record.status },
  figure("parameters", ({ parameters }) => parameters),
  figure("size bytes", ({ sizeBytes }) => sizeBytes),
  figure("linear bits/weight", ({ bitsPerWeight }) => bitsPerWeight.linear),
  figure("file bits/weight", ({ bitsPerWeight }) => bitsPerWeight.file),
];

const lastColumns: readonly CsvColumn[] = [
  figure("tokens/s", ({ tokensPerSecond }) => tokensPerSecond),
  figure("make ms", ({ makeMs }) => makeMs),
  figure("peak memory bytes", ({ peakMemoryBytes }) => peakMemoryBytes),
  figure("evaluation ms", ({ evaluationMs }) => evaluationMs),
  { header: "error", value: ({ record }) => record.error?.message ?? null },
  { header: "command", value: ({ record }) => record.command },
];

/** Writes all figures of all points, unrounded, one line a point, as CSV (RFC 4180). */
export function formatSweepCsv(rows: readonly SweepRow[]): string {
  const columns = [...pointColumns, ...measuredColumns(rows), ...lastColumns];
  const lines = [
    columns.map(({ header }) => csvField(header)),
    ...rows.map((row) => columns.map(({ value }) => csvField(value(row)))),
  ];
  return lines.map((fields) => `${fields.join(",")}\r\n`).join("");
}

function figure(header: string, value: (result: PointResult) => Value): CsvColumn {
  return { header, value: ({ result }) => (result ? value(result) : null) };
}

function measuredColumns(rows: readonly SweepRow[]): CsvColumn[] {
  const results = rows.flatMap(({ result }) => (result ? [result] : []));
  const names = (list: readonly { readonly name: string }[]): string[] => [
    ...new Set(list.map(({ name }) => name)),
  ];
  return [
    ...names(results.flatMap(({ texts }) => texts)).flatMap(textColumns),
    ...names(results.flatMap(({ tasks }) => tasks)).flatMap((name) =>
      accuracyColumns(name, "tasks"),
    ),
    ...names(results.flatMap(({ averages }) => averages)).flatMap((name) =>
      accuracyColumns(name, "averages"),
    ),
  ];
}

function textColumns(name: string): CsvColumn[] {
  const on = (result: PointResult) => result.texts.find((text) => text.name === name);
  return [
    figure(`${name} perplexity`, (result) => on(result)?.perplexity ?? null),
    figure(`${name} perplexity low`, (result) => on(result)?.interval?.low ?? null),
    figure(`${name} perplexity high`, (result) => on(result)?.interval?.high ?? null),
    figure(`${name} KL`, (result) => on(result)?.klDivergence?.mean ?? null),
    figure(`${name} same top token`, (result) => on(result)?.topTokenAgreement ?? null),
  ];
}

function accuracyColumns(name: string, list: "tasks" | "averages"): CsvColumn[] {
  const of = list === "averages" ? `average ${name}` : name;
  const found = (result: PointResult) => result[list].find((entry) => entry.name === name);
  return [
    figure(`${of} accuracy`, (result) => found(result)?.accuracy.mean ?? null),
    figure(`${of} standard error`, (result) => found(result)?.accuracy.standardError ?? null),
    figure(`${of} above chance`, (result) => found(result)?.accuracyAboveChance ?? null),
  ];
}

/** Quotes what needs it. Texts that a spreadsheet would compute get an apostrophe in front. */
export function csvField(value: Value): string {
  if (value === null) return "";
  if (typeof value === "number") return String(value);
  const text = /^[=+@\-\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
