import { chartsOf, type SweepDescription } from "./describe-sweep.ts";
import { factsOf, failuresOf, unfinishedOf } from "./sweep-account.ts";
import { markdownTable, markdownText } from "./sweep-table.ts";

/** Writes what the page shows as Markdown, with the charts as files beside it. */
export function formatSweepMarkdown(sweep: SweepDescription): string {
  const { results, rows, findings, title } = sweep;
  const failures = failuresOf(results).map(({ record, message, hint }) => {
    const name = markdownText(`${record.point.model} ${record.point.label}`);
    const advice = hint === null ? "" : ` (${markdownText(hint)})`;
    return `- **${name}**: ${markdownText(message)}${advice}`;
  });
  const unfinished = unfinishedOf(results).map(
    ({ point }) => `- ${markdownText(`${point.model} ${point.label}`)}`,
  );
  const blocks = [
    [`# ${markdownText(title)}`],
    ...findings.slice(0, 3).map(({ text }) => [markdownText(text)]),
    ...chartsOf(sweep).map(({ id, title: text }) => [`![${markdownText(text)}](${id}.svg)`]),
    ["## All figures"],
    markdownTable(rows),
    ...(findings.length > 3
      ? [
          ["## What else the figures say"],
          findings.slice(3).map(({ text }) => `- ${markdownText(text)}`),
        ]
      : []),
    ["## How it was measured"],
    factsOf(results).map(({ name, text }) => `- ${name}: ${markdownText(text)}`),
    ...(failures.length > 0 ? [["## What failed"], failures] : []),
    ...(unfinished.length > 0 ? [["## Not done"], unfinished] : []),
  ];
  return `${blocks.map((lines) => lines.join("\n")).join("\n\n")}\n`;
}
