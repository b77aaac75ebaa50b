import type { SweepResults } from "../../sweep/results/sweep-results.ts";
import { describeDifference, describeRange } from "../describe-difference.ts";
import { formatBytes, formatNumber, formatPlural } from "../format.ts";
import { divergenceClause } from "./divergence-clause.ts";
import type { Finding } from "./finding.ts";
import { bitsNoun, joinWords, type PointNames, qualityNoun } from "./point-names.ts";
import type {
  Crossover,
  QualityAnalysis,
  SizeCurve,
  SizeId,
} from "../../sweep/analysis/sweep-analysis.ts";

/** The bit-width that fewer bits are compared with: ParetoQ's question. */
const usualBits = 4;

/** Says which bit-width is better at equal size, by files and linear layers; 2 against 4 first. */
export function crossoverFindings(quality: QualityAnalysis): Finding[] {
  const [first, ...others] = crossoversAgainstFour(quality, "size");
  const linear = crossoversAgainstFour(quality, "linear-size").slice(0, 1);
  const shown = [...(first ? [first] : []), ...linear, ...others];
  return shown.map((crossover) => ({
    kind: "crossover",
    text: crossoverSentence(quality, crossover),
    quality: quality.id,
    points: quality.curves
      .filter(
        ({ size, label }) =>
          size === crossover.size &&
          (label === crossover.fewer.label || label === crossover.more.label),
      )
      .flatMap(({ points }) => points.map(({ id }) => id)),
  }));
}

/** Whether whole files and linear layers say different things of the first pair of bit-widths. */
export function sizesDisagree(quality: QualityAnalysis): boolean {
  const [file, linear] = (["size", "linear-size"] as const).map(
    (size) => crossoversAgainstFour(quality, size)[0]?.mean.verdict,
  );
  return file !== undefined && linear !== undefined && file !== linear;
}

function crossoversAgainstFour({ crossovers }: QualityAnalysis, over: SizeId): Crossover[] {
  return crossovers
    .filter(({ size, more }) => size === over && more.bits === usualBits)
    .sort((a, b) => Math.abs(a.fewer.bits - 2) - Math.abs(b.fewer.bits - 2));
}

function crossoverSentence(quality: QualityAnalysis, crossover: Crossover): string {
  const { fewer, more, mean, from, to } = crossover;
  const noun = qualityNoun(quality);
  const range = `in the mean over ${formatBytes(from)} to ${formatBytes(to)}`;
  const [a, b] = [fewer, more].map(({ label, bits }) => `${bitsNoun(bits)} (${label})`);
  const opening =
    crossover.size === "size" ? "At equal file size" : "At equal bytes of the linear layers";
  const crossing = crossingClause(crossover);
  if (mean.verdict === "undecided") {
    return (
      `${opening} ${a} and ${b} cannot be told apart: ${range} ${noun} differs by ` +
      `${describeRange(quality.kind, mean)}${crossing}.`
    );
  }
  const relation = mean.verdict === "a" ? "are better than" : "are worse than";
  return (
    `${opening} ${a} ${fewer.bits === 1 ? relation.replace("are", "is") : relation} ${b}: ` +
    `${noun} is ${describeDifference(quality.kind, mean)} ${range}${crossing}.`
  );
}

function crossingClause({ crossings }: Crossover): string {
  const sure = crossings.flatMap(({ sizeBytes, interval }) =>
    interval
      ? [
          `${formatBytes(sizeBytes)} (${formatBytes(interval.low)} to ` +
            `${formatBytes(interval.high)})`,
        ]
      : [],
  );
  return sure.length === 0 ? "" : `; the curves cross at ${joinWords(sure)}`;
}

/** Says how a larger model in fewer bits compares with a smaller one of the same bytes. */
export function neighbourFindings(
  quality: QualityAnalysis,
  results: SweepResults,
  names: PointNames,
): Finding[] {
  const sizes = new Map(results.points.map(({ point, result }) => [point.id, result?.sizeBytes]));
  const describe = (id: string): string => {
    const point = names.point(id);
    return point ? `${bitsNoun(point.bits)} of ${names.model(point.model)} (${point.label})` : id;
  };
  const pairs = crossoversAgainstFour(quality, "size").flatMap(({ neighbours }) => neighbours);
  return pairs.map(({ a, b, difference }) => {
    const { verdict } = difference;
    const at = `At ${formatBytes(sizes.get(a) ?? 0)} and ${formatBytes(sizes.get(b) ?? 0)}`;
    const [first, second] = [describe(a), describe(b)];
    const text =
      verdict === "undecided"
        ? `${at}, ${first} and ${second} cannot be told apart: ${qualityNoun(quality)} differs ` +
          "by " +
          `${describeRange(quality.kind, difference)}.`
        : `${at}, ${first} ${verbOf(names.point(a)?.bits, verdict)} ${second}: ` +
          `${qualityNoun(quality)} is ` +
          `${describeDifference(quality.kind, difference)}.`;
    return { kind: "size", text, quality: quality.id, points: [a, b] };
  });
}

/** `2 bits` beat or are beaten, `1 bit` beats or is beaten. */
function verbOf(bits: number | undefined, verdict: "a" | "b"): string {
  if (bits === 1) return verdict === "a" ? "beats" : "is beaten by";
  return verdict === "a" ? "beat" : "are beaten by";
}

/** Says how large an original would have to be to match the best large model in few bits. */
export function worthFindings(
  quality: QualityAnalysis,
  results: SweepResults,
  names: PointNames,
): Finding[] {
  const originals = new Map(
    results.points.flatMap(({ point, result }) =>
      point.method === null && result ? [[point.model, result.sizeBytes] as const] : [],
    ),
  );
  const beyondOwn = (model: string, bytes: number): boolean =>
    bytes > (originals.get(model) ?? Infinity);
  const moved = (id: string): string => divergenceClause(results, id, quality.subject);
  return quality.curves
    .filter(({ size, best, bits }) => size === "size" && best && bits <= usualBits)
    .sort((a, b) => Math.abs(a.bits - 2) - Math.abs(b.bits - 2))
    .flatMap(({ points }) => {
      const known = points.filter(({ worth }) => worth?.interval);
      const largest = known.at(-1);
      const point = names.point(largest?.id ?? "");
      const { sizeBytes, worth } = largest ?? {};
      if (!largest || !point || !worth?.interval || sizeBytes === undefined) return [];
      const { low, high } = worth.interval;
      return [
        {
          kind: "size" as const,
          text:
            `${bitsNoun(point.bits)} of ${names.model(point.model)} (${point.label}, ` +
            `${formatBytes(sizeBytes)}) ` +
            `${point.bits === 1 ? "has" : "have"} the ${qualityNoun(quality)} of an original of ` +
            `${formatBytes(worth.sizeBytes)} (${formatBytes(low)} to ${formatBytes(high)}` +
            `${beyondOwn(point.model, worth.sizeBytes) ? `; ${moved(largest.id)}` : ""}).`,
          quality: quality.id,
          points: [largest.id],
        },
      ];
    });
}

/** Says how loss falls with size at each bit-width. */
export function scalingFindings(quality: QualityAnalysis): Finding[] {
  const fitted = quality.curves
    .filter(({ size, best, fit }) => size === "size" && best && fit)
    .sort((a, b) => b.bits - a.bits);
  if (fitted.length === 0) return [];
  const sizes = Math.max(...fitted.map(({ points }) => points.length));
  const floors = fitted.filter(({ fit }) => fit?.floorIdentified);
  const floorClause =
    floors.length === 0
      ? "; these sizes do not tell whether loss has a floor"
      : `; a floor shows at ${joinWords(
          floors.map(
            ({ bits, fit }) => `${bitsNoun(bits)} (${formatNumber(fit?.floor ?? 0)} nats)`,
          ),
        )}`;
  return [
    {
      kind: "scaling",
      text:
        `Over ${formatPlural(sizes, "size")}, loss falls with the file's bytes to the power of ` +
        `${joinWords(fitted.map(exponentClause))}${floorClause}.`,
      quality: quality.id,
      points: fitted.flatMap(({ points }) => points.map(({ id }) => id)),
    },
  ];
}

function exponentClause({ bits, fit }: SizeCurve): string {
  if (!fit) return "";
  const { low, high } = fit.exponentInterval;
  const two = (value: number): string => (-value).toFixed(2).replace("-", "−");
  return `${two(fit.exponent)} at ${bitsNoun(bits)} (${two(high)} to ${two(low)})`;
}
