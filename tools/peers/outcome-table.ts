import { formatBits, formatNumber } from "../../src/report/format.ts";
import type { Outcome } from "./outcome.ts";

/** A row: what came of a run, or why there was none. */
export interface Row {
  readonly maker: string;
  readonly scheme: string;
  readonly outcome: Outcome | null;
  /** Why the maker did not run; null when it did, or was not asked to. */
  readonly missing: string | null;
}

/** Writes rows as a table in Markdown, those of one scheme together, and what failed below it. */
export function outcomeTable(rows: readonly Row[], texts: readonly string[]): string {
  const figures = texts.flatMap((text) => [text, "KL"]);
  const costs = ["time", "processor", "process", "memory", "load"];
  const headers = ["scheme", "by", "bits/weight", "MB", ...figures, ...costs, "version"];
  const lines = rows.map((row) => cellsOf(row, texts));
  const rule = headers.map((_, index) => (index < 2 ? "---" : "--:"));
  const table = [headers, rule, ...lines].map((cells) => `| ${cells.join(" | ")} |`);
  const notes = rows.flatMap(notesOf);
  return `${[...table, ...(notes.length > 0 ? ["", ...notes] : [])].join("\n")}\n`;
}

function cellsOf({ maker, scheme, outcome, missing }: Row, texts: readonly string[]): string[] {
  const absent = missing === null ? "failed" : "not there";
  const made = outcome?.made;
  const figures = texts.flatMap((text) => {
    const found = outcome?.figures.find((each) => each.text === text);
    return [number(found?.perplexity, 4), number(found?.divergence)];
  });
  const bits = made ? formatBits(made.bitsPerWeight) : "";
  const size = number(outcome?.bytes == null ? null : outcome.bytes / 1e6, 4);
  const versions = Object.entries(made?.versions ?? {}).map((pair) => pair.join(" "));
  return [
    scheme,
    maker,
    bits === "" ? (outcome?.error === null ? "16" : absent) : bits,
    size,
    ...figures,
    made ? `${number(made.seconds)} s` : "",
    made ? `${number(made.cpuSeconds)} s` : "",
    made && outcome ? `${number(outcome.wallSeconds)} s` : "",
    made ? `${number(made.peakBytes / 1e9)} GB` : "",
    made && outcome ? outcome.load.toFixed(1) : "",
    versions.join(", "),
  ];
}

function notesOf({ maker, scheme, outcome, missing }: Row): string[] {
  const said = outcome?.error ?? missing;
  const notes = said == null ? [] : [said];
  return [...notes, ...(outcome?.made?.notes ?? [])].map((note) => `- ${scheme} ${maker}: ${note}`);
}

function number(value: number | null | undefined, digits = 3): string {
  return value == null ? "–" : formatNumber(value, digits);
}
