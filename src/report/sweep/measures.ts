import type { Interval } from "../../evaluation/statistics/interval.ts";
import type { Accuracy } from "../../evaluation/tasks/task.ts";
import {
  formatBits,
  formatBytes,
  formatDuration,
  formatNumber,
  formatPercentage,
} from "../format.ts";
import type { SweepRow } from "./sweep-row.ts";

/** Something that is known of each point, and that an axis may show. */
export interface Measure {
  /** Name in the page and in files: `size`, `perplexity:test.txt`. */
  readonly id: string;
  readonly title: string;
  /** The title in a word or two, for headlines. */
  readonly short: string;
  readonly role: "cost" | "quality";
  readonly scale: "linear" | "logarithmic";
  readonly better: "higher" | "lower";
  /** Null where a point has no such figure. */
  readonly value: (row: SweepRow) => number | null;
  readonly interval: (row: SweepRow) => Interval | null;
  readonly format: (value: number) => string;
}

const noInterval = (): null => null;

const costs: readonly Measure[] = [
  {
    id: "size",
    title: "size of the weight file",
    short: "size",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.sizeBytes ?? null,
    interval: noInterval,
    format: formatBytes,
  },
  {
    id: "bits",
    title: "bits a weight, linear layers",
    short: "bits a weight",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.bitsPerWeight.linear ?? null,
    interval: noInterval,
    format: formatBits,
  },
  {
    id: "file-bits",
    title: "bits a weight, whole file",
    short: "bits a weight of the file",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.bitsPerWeight.file ?? null,
    interval: noInterval,
    format: formatBits,
  },
  {
    id: "speed",
    title: "decode speed, tokens a second",
    short: "decode speed",
    role: "cost",
    scale: "logarithmic",
    better: "higher",
    value: ({ result }) => result?.tokensPerSecond ?? null,
    interval: noInterval,
    format: (value) => formatNumber(value),
  },
  {
    id: "time",
    title: "time to make it",
    short: "time to make it",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.makeMs ?? null,
    interval: noInterval,
    format: formatDuration,
  },
  {
    id: "memory",
    title: "peak memory of making it",
    short: "memory to make it",
    role: "cost",
    scale: "logarithmic",
    better: "lower",
    value: ({ result }) => result?.peakMemoryBytes ?? null,
    interval: noInterval,
    format: formatBytes,
  },
];

/** All measures that at least one of the rows has a figure for. */
export function measuresOf(rows: readonly SweepRow[]): Measure[] {
  const texts = namesOf(rows, ({ result }) => result?.texts);
  const averages = namesOf(rows, ({ result }) => result?.averages);
  const tasks = namesOf(rows, ({ result }) => result?.tasks);
  const measures = [
    ...costs,
    ...texts.flatMap((name) => textMeasures(name, texts.length > 1)),
    ...averages.map((name) =>
      accuracyMeasure(`average:${name}`, `task accuracy, average ${name}`, ({ result }) =>
        result?.averages.find((average) => average.name === name),
      ),
    ),
    ...tasks.map((name) =>
      accuracyMeasure(`task:${name}`, `accuracy, ${name}`, ({ result }) =>
        result?.tasks.find((task) => task.name === name),
      ),
    ),
  ];
  return measures.filter(({ value }) => rows.some((row) => value(row) !== null));
}

function namesOf(
  rows: readonly SweepRow[],
  list: (row: SweepRow) => readonly { readonly name: string }[] | undefined,
): string[] {
  return [...new Set(rows.flatMap((row) => (list(row) ?? []).map(({ name }) => name)))];
}

function textMeasures(name: string, several: boolean): Measure[] {
  const of = several ? ` on ${name}` : "";
  const onText = ({ result }: Pick<SweepRow, "result">) =>
    result?.texts.find((text) => text.name === name) ?? null;
  const shared = { role: "quality", better: "lower" } as const;
  return [
    {
      ...shared,
      id: `perplexity:${name}`,
      title: `perplexity${of}`,
      short: `perplexity${of}`,
      scale: "logarithmic",
      value: (row) => onText(row)?.perplexity ?? null,
      interval: (row) => onText(row)?.interval ?? null,
      format: (value) => formatNumber(value, value < 100 ? 3 : 4),
    },
    {
      ...shared,
      id: `loss:${name}`,
      title: `loss above the original, nats a token${of}`,
      short: `loss above the original${of}`,
      scale: "linear",
      value: (row) => {
        const original = onText({ result: row.original });
        const own = onText(row);
        return own && original ? Math.log(own.perplexity / original.perplexity) : null;
      },
      interval: noInterval,
      format: (value) => formatNumber(value),
    },
    {
      ...shared,
      id: `kl:${name}`,
      title: `KL divergence from the original, nats a token${of}`,
      short: `KL divergence${of}`,
      scale: "logarithmic",
      value: (row) => onText(row)?.klDivergence?.mean ?? null,
      interval: noInterval,
      format: (value) => formatNumber(value, 2),
    },
  ];
}

function accuracyMeasure(
  id: string,
  title: string,
  find: (row: SweepRow) => { readonly accuracy: Accuracy } | undefined,
): Measure {
  return {
    id,
    title,
    short: title,
    role: "quality",
    scale: "linear",
    better: "higher",
    value: (row) => find(row)?.accuracy.mean ?? null,
    interval: (row) => {
      const found = find(row);
      return found ? accuracyInterval(found.accuracy) : null;
    },
    format: formatPercentage,
  };
}

/** 95 % interval of a share, by its standard error. */
function accuracyInterval({ mean, standardError }: Accuracy): Interval {
  const half = 1.96 * standardError;
  return { low: Math.max(0, mean - half), high: Math.min(1, mean + half), level: 0.95 };
}
