import type { ModelFigures, TextMeasurement } from "./evaluation.ts";
import type { Figure } from "./figure.ts";
import { type FigureEntry, usualFigure } from "./figure-entry.ts";
import { type GenerationEntry, generationFigures } from "./generation/generation-figures.ts";
import type { TaskScore } from "./tasks/task.ts";

function define<Id extends string>(
  entries: Record<
    Id,
    | FigureEntry<"model", ModelFigures>
    | FigureEntry<"text", TextMeasurement>
    | FigureEntry<"task", TaskScore>
    | GenerationEntry
  >,
): Readonly<Record<Id, Figure>> {
  const all = Object.entries<object>(entries).map(([id, entry]) => [
    id,
    { id, ...usualFigure, ...entry },
  ]);
  return Object.fromEntries(all) as Record<Id, Figure>;
}

/** All figures by their ids, in the order in which files list them. */
export const figures = define({
  parameters: {
    of: "model",
    title: "parameters",
    format: "count",
    path: "parameters",
    sql: ["parameters"],
    csv: ["parameters"],
  },
  size: {
    of: "model",
    title: "size of the weight file",
    short: "size",
    format: "bytes",
    path: "sizeBytes",
    sql: ["size_bytes"],
    csv: ["size bytes"],
    column: { header: "size", at: 2, evaluation: 3, sweep: 0 },
    cost: { chart: true, front: true },
  },
  "linear-size": {
    of: "model",
    title: "size of the linear layers",
    format: "bytes",
    path: "linearBytes",
    sql: ["linear_bytes"],
    cost: { front: true },
  },
  bits: {
    of: "model",
    title: "bits a weight, linear layers",
    short: "bits a weight",
    format: "bits",
    path: "bitsPerWeight.linear",
    sql: ["bits_per_weight"],
    csv: ["linear bits/weight"],
    column: { header: "bits/weight", at: 1, evaluation: 1, sweep: 1 },
    cost: { chart: true, front: true },
  },
  "file-bits": {
    of: "model",
    title: "bits a weight, whole file",
    short: "bits a weight of the file",
    format: "bits",
    path: "bitsPerWeight.file",
    sql: ["file_bits_per_weight"],
    csv: ["file bits/weight"],
    cost: { front: true },
  },
  perplexity: {
    of: "text",
    title: "perplexity",
    format: "perplexity",
    path: "perplexity",
    interval: "interval",
    sql: ["perplexity", "low", "high", "level"],
    csv: ["perplexity", "perplexity low", "perplexity high"],
    column: { header: "perplexity", at: 3, spread: true, evaluation: 0, sweep: 0 },
    told: "percent",
    overSizes: true,
  },
  loss: {
    of: "text",
    title: "loss above the original",
    unit: "nats a token",
    scale: "linear",
    format: "number",
  },
  kl: {
    of: "text",
    title: "KL divergence",
    unit: "nats a token",
    format: "number",
    path: "klDivergence.mean",
    interval: "klDivergence.interval",
    sql: ["kl_mean", "kl_low", "kl_high"],
    csv: ["KL"],
    column: { header: "KL", at: 4, evaluation: 2, sweep: 3 },
    told: "nats",
    foot: true,
  },
  "kl-percentile": {
    of: "text",
    title: "99th percentile of the KL divergence",
    short: "99 % below",
    unit: "nats",
    format: "number",
    path: "klDivergence.percentile99",
    interval: "klDivergence.percentile99Interval",
    sql: ["kl_percentile99", "kl_percentile99_low", "kl_percentile99_high"],
    foot: true,
  },
  "kl-maximum": {
    of: "text",
    title: "largest KL divergence",
    short: "at most",
    unit: "nats",
    format: "number",
    path: "klDivergence.maximum",
    sql: ["kl_maximum"],
    foot: true,
  },
  agreement: {
    of: "text",
    title: "share of tokens with the original's most likely token",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "topTokenAgreement",
    sql: ["top_token_agreement"],
    csv: ["same top token"],
    column: { header: "same top", at: 5, evaluation: 4 },
  },
  accuracy: {
    of: "task",
    averaged: true,
    title: "accuracy",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "accuracy.mean",
    interval: "accuracy.interval",
    error: "accuracy.standardError",
    sql: ["accuracy", "accuracy_error"],
    csv: ["accuracy", "standard error"],
    column: { header: "accuracy", at: 6, spread: true, evaluation: 1, sweep: 2, tasks: 0 },
    told: "points",
    overSizes: true,
  },
  "normalized-accuracy": {
    of: "task",
    title: "accuracy by length",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "normalizedAccuracy.mean",
    interval: "normalizedAccuracy.interval",
    error: "normalizedAccuracy.standardError",
    sql: ["normalized_accuracy", "normalized_error"],
    column: { header: "by length", at: 7, spread: true, tasks: 0 },
  },
  chance: {
    of: "task",
    title: "accuracy of guessing",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "chance",
    sql: ["chance"],
    column: { header: "chance", at: 5, tasks: 3 },
  },
  "above-chance": {
    of: "task",
    averaged: true,
    title: "accuracy above chance",
    better: "higher",
    scale: "linear",
    format: "share",
    path: "accuracyAboveChance",
    sql: ["above_chance"],
    csv: ["above chance"],
    column: { header: "above chance", at: 8, tasks: 1 },
  },
  "task-perplexity": {
    of: "task",
    title: "perplexity",
    format: "perplexity",
    path: "perplexity.mean",
    column: { header: "perplexity", at: 9, tasks: 2 },
  },
  ...generationFigures,
  speed: {
    of: "model",
    title: "decode speed",
    unit: "tokens a second",
    better: "higher",
    format: "number",
    path: "tokensPerSecond",
    interval: "tokensPerSecondRange",
    sql: ["tokens_per_second"],
    csv: ["tokens/s"],
    column: { header: "tokens/s", at: 10, evaluation: 5, sweep: 4 },
    // Files of the same bytes differed by 2.5 times in the median on a machine with other work.
    cost: { chart: true, front: true, noise: { recorded: 1.1, unknown: 1.6 } },
  },
  time: {
    of: "model",
    title: "time to make it",
    format: "duration",
    path: "makeMs",
    sql: ["make_ms"],
    csv: ["make ms"],
    column: { header: "made in", at: 11, sweep: 5 },
    cost: { chart: true, front: true, noise: { recorded: 1.25, unknown: 1.25 } },
  },
  "processor-time": {
    of: "model",
    title: "processor time to make it",
    format: "duration",
    path: "makeProcessorMs",
    sql: ["make_processor_ms"],
    csv: ["make processor ms"],
    cost: { chart: true, noise: { recorded: 1.1, unknown: 1.1 } },
  },
  memory: {
    of: "model",
    title: "peak memory of making it",
    short: "memory to make it",
    format: "bytes",
    path: "peakMemoryBytes",
    sql: ["peak_memory_bytes"],
    csv: ["peak memory bytes"],
    column: { header: "memory", at: 12, evaluation: 6, sweep: 6 },
    cost: { chart: true, noise: { recorded: 1.05, unknown: 1.05 } },
  },
  "evaluation-time": {
    of: "model",
    title: "time to measure it",
    format: "duration",
    path: "evaluationMs",
    sql: ["evaluation_ms"],
    csv: ["evaluation ms"],
  },
});

/** All figures, in their order. */
export const allFigures: readonly Figure[] = Object.values(figures);

/** The figures by which models are compared, as analyses call them. */
export const qualities: Readonly<
  Record<"perplexity" | "divergence" | "accuracy" | "repetition" | "continuation", Figure>
> = {
  perplexity: figures.perplexity,
  divergence: figures.kl,
  accuracy: figures.accuracy,
  repetition: figures.repetition,
  continuation: figures["continuation-kl"],
};

/** Kinds of qualities. */
export type QualityKind = keyof typeof qualities;
