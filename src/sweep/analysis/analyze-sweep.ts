import { findFront } from "../../evaluation/analysis/pareto-front.ts";
import { readCostSpread, readFigure } from "../../evaluation/figure.ts";
import { allFigures } from "../../evaluation/figures.ts";
import type { SweepResults } from "../results/sweep-results.ts";
import { comparePairs, figureOf } from "./compare-points.ts";
import {
  type MeasuredPoint,
  type MeasuredQuality,
  measuredQualities,
} from "./measured-qualities.ts";
import { crossoversOf, curvesOf } from "./size-curves.ts";
import type {
  Contest,
  Front,
  PairDifference,
  QualityAnalysis,
  SweepAnalysis,
} from "./sweep-analysis.ts";

/** How a sweep is analysed. */
export interface AnalyzeOptions {
  /** Draws of the bootstrap; default 2,000. */
  readonly draws?: number;
  /** Default 0. The same results and seed give the same analysis. */
  readonly seed?: number;
}

const usualDraws = 2_000;

/**
 * Works out fronts, contests, curves over sizes and crossovers of a sweep, for each of its
 * qualities. All comparisons are paired: windows or items are drawn anew for all points together.
 */
export function analyze(
  results: SweepResults,
  { draws = usualDraws, seed = 0 }: AnalyzeOptions = {},
): SweepAnalysis {
  return { qualities: measuredQualities(results, { draws, seed }).map(analyzeQuality) };
}

function analyzeQuality(quality: MeasuredQuality): QualityAnalysis {
  const { points, ...description } = quality;
  const curves = curvesOf(quality);
  return {
    ...description,
    models: modelsBySize(points),
    points: points.map((measured) => figureOf(quality, measured)),
    againstOriginal: compareWithOriginals(quality),
    contests: contestsOf(quality),
    fronts: frontsOf(quality),
    curves: curves.map(({ curve }) => curve),
    crossovers: crossoversOf(quality, curves),
  };
}

function modelsBySize(points: readonly MeasuredPoint[]): string[] {
  const sorted = [...points].sort((a, b) => a.result.parameters - b.result.parameters);
  return [...new Set(sorted.map(({ point }) => point.model))];
}

function compareWithOriginals(quality: MeasuredQuality): PairDifference[] {
  const pairs = quality.points.flatMap((measured): [MeasuredPoint, MeasuredPoint][] => {
    if (measured.point.method === null) return [];
    const original = quality.points.find(
      ({ point }) => point.model === measured.point.model && point.method === null,
    );
    return original ? [[measured, original]] : [];
  });
  return comparePairs(quality, pairs);
}

function contestsOf(quality: MeasuredQuality): Contest[] {
  // Where a size or a speed was asked for, bits are not.
  const quantized = quality.points.filter(({ point }) => point.method !== null && point.bits > 0);
  const groups = new Map<string, MeasuredPoint[]>();
  for (const measured of quantized) {
    const key = `${measured.point.bits} ${measured.point.model}`;
    groups.set(key, [...(groups.get(key) ?? []), measured]);
  }
  const sign = quality.better === "lower" ? 1 : -1;
  const ranked = [...groups.values()].map((group) =>
    group.sort((a, b) => sign * (a.value - b.value)),
  );
  // All questions of all contests are one family.
  const pairs = ranked.flatMap(([first, ...others]) =>
    others.flatMap((other): [MeasuredPoint, MeasuredPoint][] => (first ? [[first, other]] : [])),
  );
  const differences = comparePairs(quality, pairs);
  return ranked.flatMap((group) => {
    const [first] = group;
    if (!first) return [];
    const tied = differences.filter(
      ({ a, difference }) => a === first.point.id && difference.verdict !== "a",
    );
    return [
      {
        model: first.point.model,
        bits: first.point.bits,
        points: group.map(({ point }) => point.id),
        tied: tied.map(({ b }) => b),
      },
    ];
  });
}

function frontsOf({ better, points }: MeasuredQuality): Front[] {
  const costs = allFigures.filter(({ cost }) => cost?.front);
  return costs.flatMap((figure) => {
    const priced = points.flatMap(({ point, result, value, draws }) => {
      const price = readFigure(figure, result);
      const spread = readCostSpread(figure, result);
      return price === null ? [] : [{ id: point.id, cost: price, spread, value, draws }];
    });
    const ways = { better, cheaper: figure.better };
    return priced.length < 2 ? [] : [{ cost: figure.id, ...findFront(priced, ways) }];
  });
}
