import { factsOf, failuresOf, unfinishedOf } from "./sweep-account.ts";
import type { SweepPage } from "./sweep-page.ts";
import { markdownTable, markdownText } from "./sweep-table.ts";

/** Writes what the page shows as Markdown, with the charts as files beside it. */
export function formatSweepMarkdown(page: SweepPage): string {
  const { results, rows, findings, charts, title } = page;
  const failures = failuresOf(results).map(({ record, message, hint }) => {
    const name = markdownText(`${record.point.model} ${record.point.label}`);
    return `- **${name}**: ${markdownText(message)}${hint === null ? "" : ` (${markdownText(hint)})`}`;
  });
  const unfinished = unfinishedOf(results).map(
    ({ point }) => `- ${markdownText(`${point.model} ${point.label}`)}`,
  );
  const blocks = [
    [`# ${markdownText(title)}`],
    ...findings.map((finding) => [markdownText(finding)]),
    ...charts.map(({ id, title: text }) => [`![${markdownText(text)}](${id}.svg)`]),
    ["## All figures"],
    markdownTable(rows),
    ["## How it was measured"],
    factsOf(results).map(({ name, text }) => `- ${name}: ${markdownText(text)}`),
    ...(failures.length > 0 ? [["## What failed"], failures] : []),
    ...(unfinished.length > 0 ? [["## Not done"], unfinished] : []),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}
