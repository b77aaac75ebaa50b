import { UsageError } from "../../util/errors.ts";
import type { Evaluation } from "../evaluation.ts";
import type { Continuation, GenerationFigures } from "../generation/generation.ts";
import { qualities } from "../figures.ts";
import type { ComparedFigure } from "./model-comparison.ts";
import {
  blockLength,
  bootstrapMeans,
  bootstrapShares,
  type Draws,
} from "../statistics/bootstrap.ts";
import { mapDraws, percentileInterval, subtractDraws } from "../statistics/draws.ts";
import { mapInterval } from "../statistics/interval.ts";
import { shareInterval } from "../statistics/share-intervals.ts";
import { correctDifferences, differenceOf } from "../statistics/paired-comparison.ts";
import { namedOrOwnAverages, type NamedAverage } from "../tasks/averages.ts";
import type { TaskScore } from "../tasks/task.ts";
import { meanOf } from "../../util/sums.ts";

/** What was measured of one model: on a text, on tasks, on prompts. */
export interface MeasuredModel {
  readonly text: Pick<Evaluation, "text" | "windowLosses" | "klDivergence" | "tokensSha256"> | null;
  readonly tasks: readonly TaskScore[];
  readonly generation: GenerationFigures | null;
}

/** A figure, and the draws of both models that belong together. */
type Drawn = Pick<ComparedFigure, "kind" | "subject" | "measure"> & {
  readonly a: DrawnFigure;
  readonly b: DrawnFigure;
};

interface DrawnFigure {
  readonly value: number;
  readonly draws: Draws;
}

/**
 * Compares what was measured of two models on the same windows, items and prompts: perplexity,
 * divergence, accuracy of each task and of the averages, repetition. The figures are one family: p values are Holm's.
 * @throws UsageError when the two were measured on other windows, items or prompts
 */
export function compareFigures(a: MeasuredModel, b: MeasuredModel): ComparedFigure[] {
  const drawn = [...drawText(a, b), ...drawTasks(a.tasks, b.tasks), ...drawGeneration(a, b)];
  const directions = drawn.map(({ kind }) => qualities[kind].better);
  const differences = correctDifferences(
    drawn.map((figure, i) =>
      differenceOf(
        figure.a.value - figure.b.value,
        subtractDraws(figure.a.draws, figure.b.draws),
        directions[i] ?? "lower",
      ),
    ),
    directions,
  );
  return drawn.flatMap(({ kind, subject, measure, ...figure }, i): ComparedFigure[] => {
    const difference = differences[i];
    if (!difference) return [];
    const [shownA, shownB] = [showFigure(kind, figure.a), showFigure(kind, figure.b)];
    const { better } = qualities[kind];
    return [{ kind, subject, measure, better, a: shownA, b: shownB, difference }];
  });
}

function drawText({ text: a }: MeasuredModel, { text: b }: MeasuredModel): Drawn[] {
  if (!a || !b) return [];
  if (a.tokensSha256 !== b.tokensSha256) throw notTheSame("windows of the text");
  const named = { subject: a.text, measure: null };
  const block = blockLength(a.windowLosses.length);
  const figures: Drawn[] = [
    { kind: "perplexity", ...named, ...drawMeans(a.windowLosses, b.windowLosses, block) },
  ];
  if (a.klDivergence && b.klDivergence) {
    const means = [a.klDivergence.windowMeans, b.klDivergence.windowMeans] as const;
    figures.push({ kind: "divergence", ...named, ...drawMeans(...means, block) });
  }
  return figures;
}

/** Prompts are no neighbours of each other: each is drawn by itself. */
function drawGeneration(
  { generation: a }: MeasuredModel,
  { generation: b }: MeasuredModel,
): Drawn[] {
  if (!a || !b) return [];
  if (a.promptsSha256 !== b.promptsSha256) throw notTheSame("prompts");
  const named = { subject: "continuations", measure: null };
  const of = (read: (continuation: Continuation) => number | null) =>
    [a, b].map(({ continuations }) => continuations.map((each) => read(each) ?? Number.NaN));
  const [repetitionA = [], repetitionB = []] = of(({ repetition }) => repetition);
  const figures: Drawn[] = [
    { kind: "repetition", ...named, ...drawMeans(repetitionA, repetitionB, 1) },
  ];
  if (a.klDivergence && b.klDivergence) {
    const [klA = [], klB = []] = of(({ klDivergence }) => klDivergence);
    figures.push({ kind: "continuation", ...named, ...drawMeans(klA, klB, 1) });
  }
  return figures;
}

/** Draws the means of two series together. */
function drawMeans(
  a: readonly number[],
  b: readonly number[],
  block: number,
): Pick<Drawn, "a" | "b"> {
  const [ofA = new Float64Array(), ofB = new Float64Array()] = bootstrapMeans([a, b], { block });
  return { a: { value: meanOf(a), draws: ofA }, b: { value: meanOf(b), draws: ofB } };
}

function drawTasks(a: readonly TaskScore[], b: readonly TaskScore[]): Drawn[] {
  const pairs = a.map((score, index) => {
    const other = b[index];
    const same =
      other?.name === score.name && other.sha256 === score.sha256 && other.items === score.items;
    if (!other || !same) throw notTheSame(`items of ${score.name}`);
    return [score, other] as const;
  });
  const plain = pairs.map(([x, y], seed) => drawTask(x, y, { measure: "acc", seed }));
  const normalized = pairs.map(([x, y], seed) =>
    x.normalizedAccuracy ? drawTask(x, y, { measure: "acc_norm", seed }) : null,
  );
  const averages = namedOrOwnAverages(a).map((average) => {
    const members = average.tasks.map((name) => pairs.findIndex(([score]) => score.name === name));
    return averageOf(average, members, { plain, normalized });
  });
  const each = plain.flatMap((figure, index) => [figure, normalized[index] ?? []].flat());
  return [...averages, ...each];
}

function drawTask(
  a: TaskScore,
  b: TaskScore,
  { measure, seed }: { readonly measure: "acc" | "acc_norm"; readonly seed: number },
): Drawn {
  const key = measure === "acc" ? "right" : "rightNormalized";
  const digits = [a, b].map(({ answers }) =>
    Uint8Array.from(answers, (answer) => (answer[key] ? 1 : 0)),
  );
  const draws = bootstrapShares(digits, { seed });
  const figure = (index: number): DrawnFigure => ({
    value: meanOf(digits[index] ?? []),
    draws: draws[index] ?? new Float64Array(),
  });
  return { kind: "accuracy", subject: a.name, measure, a: figure(0), b: figure(1) };
}

/** The mean over tasks, which were drawn independently of each other. */
function averageOf(
  { name, measure }: { readonly name: string; readonly measure: NamedAverage["measure"] },
  members: readonly number[],
  { plain, normalized }: Record<"plain" | "normalized", readonly (Drawn | null)[]>,
): Drawn {
  const tasks = members.flatMap((index) => {
    const preferred = measure === "normalizedAccuracy" ? normalized[index] : null;
    return preferred ?? plain[index] ?? [];
  });
  const mean = (figures: readonly DrawnFigure[]): DrawnFigure => ({
    value: meanOf(figures.map(({ value }) => value)),
    draws: mapDraws(
      figures.map(({ draws }) => draws),
      (...values) => meanOf(values),
    ),
  });
  return {
    kind: "accuracy",
    subject: name,
    measure: null,
    a: mean(tasks.map(({ a }) => a)),
    b: mean(tasks.map(({ b }) => b)),
  };
}

function showFigure(kind: Drawn["kind"], { value, draws }: DrawnFigure): ComparedFigure["a"] {
  if (kind === "accuracy") return { value, interval: shareInterval(draws) };
  const interval = percentileInterval(draws);
  return kind === "perplexity"
    ? { value: Math.exp(value), interval: mapInterval(interval, Math.exp) }
    : { value, interval };
}

function notTheSame(what: string): UsageError {
  return new UsageError(`the two models were not measured on the same ${what}`, {
    hint: "compare models on the same text, tasks and prompts, with the same options",
  });
}
