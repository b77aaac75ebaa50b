import type { AllocationRecord, UniformComparison } from "../run/allocation-record.ts";
import { formatBits, formatBytes, formatNumber, formatPercentage } from "./format.ts";
import type { Layout } from "./style.ts";
import { type Cell, formatTable } from "./table.ts";

/**
 * Lays out an allocation: a row for layers that share a scheme, a column for each choice with the
 * damage that was foreseen of it, and what the layers got marked by an asterisk.
 */
export function formatAllocation(record: AllocationRecord, layout: Layout): string[] {
  const { items } = record;
  const choices = [...new Set(items.flatMap(({ options }) => options.map(({ scheme }) => scheme)))];
  const rows = items.map(({ name, options, scheme: own }): Cell[] => [
    name,
    ...choices.map((choice): Cell => {
      const option = options.find(({ scheme }) => scheme === choice);
      if (!option) return "–";
      const text = formatNumber(option.damage);
      return choice === own ? { text: `*${text}`, tone: "accent" } : text;
    }),
    { text: own, tone: "accent" },
  ]);
  const table = formatTable(
    [
      { header: `damage (${record.measure})`, minWidth: 18, keep: "end" },
      ...choices.map((header, i) => ({ header, align: "right" as const, dropOrder: i + 1 })),
      { header: "gets" },
    ],
    rows,
    layout,
  );
  return [...table, "", ...describeAllocation(record).map((line) => `  ${line}`)];
}

/** Says in a line or two what an allocation comes to, and how it stands to a uniform scheme. */
export function describeAllocation(record: AllocationRecord): string[] {
  const { bitsPerWeight, sizeBytes, search, trials, embedding, head, uniform } = record;
  const tables = [
    ...(embedding === null ? [] : [`embedding ${embedding}`]),
    ...(head === null ? [] : [`head ${head}`]),
  ];
  const how = trials > 0 ? `${search}, ${trials} trials` : search;
  const size = `${formatBits(bitsPerWeight)} bits a weight, ${formatBytes(sizeBytes)} in all`;
  const token = describeToken(record);
  return [
    [size, ...tables, ...token, how].join(" · "),
    ...(uniform ? [describeComparison(uniform)] : []),
  ];
}

/** What was foreseen of speed, and of energy where that was a target. */
function describeToken({ predicted, targets }: AllocationRecord): string[] {
  const { tokensPerSecond, joulesPerToken } = predicted ?? {};
  const asked = targets.joulesPerToken !== undefined;
  return [
    ...(tokensPerSecond === undefined
      ? []
      : [`${formatNumber(tokensPerSecond)} tokens a second predicted`]),
    ...(joulesPerToken === undefined || !asked
      ? []
      : [`${formatNumber(joulesPerToken)} joules a token by published figures`]),
  ];
}

function describeComparison(uniform: UniformComparison): string {
  const { scheme, divergence, difference, written, windows } = uniform;
  const { interval, estimate } = difference;
  const share = (value: number): string => {
    const text = formatPercentage(Math.abs(value / divergence.uniform));
    return `${value < 0 ? "−" : "+"}${text}`;
  };
  const kept = written === "allocated" ? "the allocation is kept" : `${scheme} is kept`;
  return (
    `divergence ${formatNumber(divergence.allocated)}, of ${scheme} ` +
    `${formatNumber(divergence.uniform)}: ${share(estimate)} (${share(interval.low)} to ` +
    `${share(interval.high)} by ${windows} windows); ${kept}`
  );
}
