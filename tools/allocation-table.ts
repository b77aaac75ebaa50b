/**
 * Prints the tables of `docs/allocation.md` from the results of a sweep: of each allocation bits,
 * perplexity and divergence, against the largest uniform scheme (or mixture) that is no larger, and
 * against uniform schemes at its own bits.
 *
 *   node tools/allocation-table.ts docs/allocation/prose-6m/results.json
 */
import { readFileSync } from "node:fs";
import { blockLength } from "../src/evaluation/statistics/bootstrap.ts";
import { comparePaired } from "../src/evaluation/statistics/paired-comparison.ts";
import { parseResultsJson } from "../src/sweep/results/results-json.ts";
import type { PointResult, SweepPoint } from "../src/sweep/results/sweep-results.ts";
import { meanOf } from "../src/util/sums.ts";

interface Measured {
  readonly point: SweepPoint;
  readonly result: PointResult;
  readonly bits: number;
  /** Bytes of all but the linear layers: what is compared has the same there. */
  readonly beside: number;
  /** Divergence of each window, in nats. */
  readonly windows: readonly number[];
}

const [path = ""] = process.argv.slice(2);
const all = parseResultsJson(readFileSync(path, "utf8"), path).points.flatMap(
  ({ point, result }): Measured[] => {
    const windows = result?.texts[0]?.klDivergence?.windowMeans;
    if (!result || !windows || point.method === null) return [];
    const bits = result.bitsPerWeight.linear;
    return [{ point, result, bits, beside: result.sizeBytes - result.linearBytes, windows }];
  },
);
const uniform = all.filter(({ result }) => !result.allocation).sort((a, b) => a.bits - b.bits);
const rows = [
  ...uniform.map((each) => [...figuresOf(each), "", "", ""]),
  ...all
    .filter(({ result }) => result.allocation)
    .sort((a, b) => a.bits - b.bits)
    .map((each) => [...figuresOf(each), ...comparisonsOf(each)]),
];
const header = [
  "variant",
  "bits",
  "perplexity",
  "divergence",
  "over no larger",
  "over equal bits",
  "of the target",
];
for (const cells of [header, header.map(() => "---"), ...rows]) {
  process.stdout.write(`| ${cells.join(" | ")} |\n`);
}

function figuresOf({ point, result, bits }: Measured): string[] {
  const [text] = result.texts;
  const { mean, interval } = text.klDivergence ?? { mean: Number.NaN, interval: null };
  const range = (ends: { low: number; high: number } | null): string =>
    ends ? ` (${short(ends.low)} to ${short(ends.high)})` : "";
  return [
    point.label,
    bits.toFixed(3),
    `${short(text.perplexity)}${range(text.interval)}`,
    `${short(mean)}${range(interval)}`,
  ];
}

/** The comparisons of an allocation, and how much of its target it leaves. */
function comparisonsOf(own: Measured): string[] {
  const alike = uniform.filter(
    ({ point, beside }) =>
      point.method === own.point.method && Math.abs(beside / own.beside - 1) < 0.01,
  );
  // A mixture whose bits were the target is larger by what rounds off.
  const below = alike.findLast(({ bits }) => bits <= own.bits * 1.001);
  const above = alike.find(({ bits }) => bits > own.bits);
  const target = own.result.allocation?.targets["bitsPerWeight"];
  const left = target === undefined ? "" : `−${(100 * (1 - own.bits / target)).toFixed(2)} %`;
  const base = below ? `${below.point.scheme} ${change(own.windows, below.windows)}` : "";
  if (!below || !above || below.bits >= own.bits) return [base, "", left];
  // Between two schemes divergence is taken to fall as a power does: evenly in its logarithm.
  const share = (own.bits - below.bits) / (above.bits - below.bits);
  const between = below.windows.map((value, i) => value ** (1 - share) * above.windows[i] ** share);
  return [base, change(own.windows, between), left];
}

/** The change from `b` to `a` as a share, with the 95 % interval of the paired bootstrap. */
function change(a: readonly number[], b: readonly number[]): string {
  const { estimate, interval } = comparePaired(a, b, {
    better: "lower",
    block: blockLength(a.length),
  });
  const share = (value: number): string => {
    const percent = (100 * value) / meanOf(b);
    return `${percent < 0 ? "−" : "+"}${Math.abs(percent).toFixed(0)}`;
  };
  return `${share(estimate)} % (${share(interval.low)} to ${share(interval.high)})`;
}

function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
