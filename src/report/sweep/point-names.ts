import { figureName } from "../../evaluation/figure.ts";
import { qualities } from "../../evaluation/figures.ts";
import type { QualityAnalysis } from "../../sweep/analysis/sweep-analysis.ts";
import type { SweepPoint, SweepResults } from "../../sweep/results/sweep-results.ts";
import { shortenNames } from "./sweep-row.ts";

/** What sentences call models and points. */
export interface PointNames {
  /** The model's name as short as it can be told apart: `0.8m`. */
  readonly model: (name: string) => string;
  readonly point: (id: string) => SweepPoint | undefined;
}

/** Collects the names of a sweep's points. */
export function pointNames({ points }: SweepResults): PointNames {
  const byId = new Map(points.map(({ point }) => [point.id, point]));
  const short = shortenNames([...new Set(points.map(({ point }) => point.model))]);
  return {
    model: (name) => short.get(name) ?? name,
    point: (id) => byId.get(id),
  };
}

/** Writes bits as a noun: `1 bit`, `1.58 bits`, `16 bits`. */
export function bitsNoun(bits: number): string {
  return `${bits} ${bits === 1 ? "bit" : "bits"}`;
}

/** Joins words as a sentence does: `a, b and c`. */
export function joinWords(words: readonly string[]): string {
  return words.length < 2
    ? words.join("")
    : `${words.slice(0, -1).join(", ")} and ${words.at(-1) ?? ""}`;
}

/** What a sentence calls a quality: `perplexity`, `accuracy (average paretoq-8)`. */
export function qualityNoun({
  id,
  kind,
  subject,
}: Pick<QualityAnalysis, "id" | "kind" | "subject">): string {
  const name = figureName(qualities[kind]);
  if (kind !== "accuracy") return name;
  if (id === "average:tasks") return `mean ${name}`;
  return id.startsWith("average:") ? `${name} (average ${subject})` : `${name} (${subject})`;
}
