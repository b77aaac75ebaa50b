import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import {
  joinPath,
  listDirectory,
  makeDirectories,
  remove,
  writeText,
} from "../../platform/node.ts";
import { drawStandaloneChart } from "../chart/draw-chart.ts";
import { allocationName, chartIds, chartsOf, describeSweep } from "./describe-sweep.ts";
import type { Finding } from "./finding.ts";
import { compactResults, formatResultsJson } from "../../sweep/results/results-json.ts";
import { formatSweepCsv } from "./sweep-csv.ts";
import { formatSweepMarkdown } from "./sweep-markdown.ts";
import { formatSweepPage } from "./sweep-page.ts";

/** Where a report goes, and what it is called. */
export interface ReportOptions {
  /** Folder of its files; made where it is missing, files of an earlier report are replaced. */
  readonly out: string;
  /** Default: the name of the sweep. */
  readonly title?: string;
}

/** A report that was written. */
export interface Report {
  readonly title: string;
  /** Sentences that say what was found. */
  readonly findings: readonly Finding[];
  /** Path of the page. */
  readonly page: string;
  /** Paths of all files, the page first. */
  readonly files: readonly string[];
}

/** Writes the page, a drawing for each chart, CSV, Markdown and JSON of results. */
export async function writeReport(results: SweepResults, options: ReportOptions): Promise<Report> {
  const { out, title } = options;
  // A report made again from the JSON that is written here says the same to the digit.
  const compact = compactResults(results);
  const sweep = describeSweep(compact, title);
  const files: readonly (readonly [name: string, content: string])[] = [
    ["report.html", formatSweepPage(sweep)],
    ["report.md", formatSweepMarkdown(sweep)],
    ["results.csv", formatSweepCsv(sweep.rows)],
    ["results.json", formatResultsJson(compact)],
    ...chartsOf(sweep).map((chart) => [`${chart.id}.svg`, drawStandaloneChart(chart)] as const),
  ];
  await makeDirectories(out);
  for (const [name, content] of files) await writeText(joinPath(out, name), content);
  // Charts of an earlier report that this one has no data for.
  const there = (await listDirectory(out)).map(({ name }) => name.replace(/\.svg$/, ""));
  const old = [...chartIds, ...there.filter((id) => allocationName.test(id))]
    .map((id) => `${id}.svg`)
    .filter((name) => !files.some(([own]) => own === name));
  for (const name of old) await remove(joinPath(out, name));
  const paths = files.map(([name]) => joinPath(out, name));
  return { title: sweep.title, findings: sweep.findings, page: paths[0] ?? out, files: paths };
}
