import { figures, qualities, type QualityKind } from "../../evaluation/figures.ts";
import type { Continuation } from "../../evaluation/generation/generation.ts";
import { type AverageId, taskAverages } from "../../evaluation/tasks/averages.ts";
import {
  blockLength,
  bootstrapMeans,
  bootstrapShares,
  type Draws,
} from "../../evaluation/statistics/bootstrap.ts";
import { mapDraws } from "../../evaluation/statistics/draws.ts";
import type {
  PointResult,
  SweepPoint,
  SweepResults,
  TaskFigures,
  TextFigures,
} from "../results/sweep-results.ts";
import type { QualityAnalysis } from "./sweep-analysis.ts";
import { meanOf } from "../../util/sums.ts";

/** A point that was measured, with one figure of it. */
export interface MeasuredPoint {
  readonly point: SweepPoint;
  readonly result: PointResult;
  /** Mean loss in nats for a perplexity; nats, or a share of right answers, otherwise. */
  readonly value: number;
  /** Draw `i` of all points of a quality is of the same resample of windows or items. */
  readonly draws: Draws;
}

/** One quality of all points that were measured on the same tokens or items. */
export interface MeasuredQuality
  extends Pick<QualityAnalysis, "id" | "kind" | "subject" | "better"> {
  readonly points: readonly MeasuredPoint[];
}

/** How draws are made. */
export interface DrawOptions {
  readonly draws: number;
  readonly seed: number;
}

type DonePoint = Pick<MeasuredPoint, "point" | "result">;

/** A point's figures that draws are made on: a series a text or task, one a task of an average. */
interface Sample {
  readonly done: DonePoint;
  readonly series: readonly ArrayLike<number>[];
  /** Units are drawn each by itself, and not with their neighbours as the windows of a text. */
  readonly independent?: true;
  /** Only samples with the same key were asked the same questions. */
  readonly key: string;
}

/** Gathers what was measured into qualities, texts first, and draws their figures anew. */
export function measuredQualities(results: SweepResults, options: DrawOptions): MeasuredQuality[] {
  const done = results.points.flatMap(({ point, status, result }): DonePoint[] =>
    status === "done" && result ? [{ point, result }] : [],
  );
  const texts = namesOf(done, ({ result }) => result.texts);
  const tasks = namesOf(done, ({ result }) => result.tasks);
  const averages = namesOf(done, ({ result }) => result.averages);
  const written = done.some(({ result }) => result.generation) ? ["continuations"] : [];
  const of = (
    kind: QualityKind,
    name: string,
    subjects: readonly string[],
    samplesOf: (done: readonly DonePoint[], subject: string) => Sample[],
  ): MeasuredQuality[] =>
    subjects.flatMap((subject) => {
      const { better } = qualities[kind];
      const quality = { id: `${name}:${subject}`, subject, kind, better };
      return gather(quality, samplesOf(done, subject), options);
    });
  return [
    ...of("perplexity", figures.perplexity.id, texts, lossSamples),
    ...of("accuracy", "average", averages, averageSamples),
    ...of("divergence", figures.kl.id, texts, klSamples),
    ...of("accuracy", "task", tasks, taskSamples),
    ...of("repetition", figures.repetition.id, written, repetitionSamples),
    ...of("continuation", figures["continuation-kl"].id, written, continuationSamples),
  ];
}

function namesOf(
  done: readonly DonePoint[],
  list: (point: DonePoint) => readonly { readonly name: string }[],
): string[] {
  return [...new Set(done.flatMap((point) => list(point).map(({ name }) => name)))];
}

function lossSamples(done: readonly DonePoint[], name: string): Sample[] {
  return samplesOf(done, ({ result }) => {
    const text = result.texts.find((found) => found.name === name);
    return text && { series: [text.windowLosses], key: keyOfText(text) };
  });
}

/** Divergences are from a model's own original: they say nothing about points of another. */
function klSamples(done: readonly DonePoint[], name: string): Sample[] {
  return samplesOf(done, ({ point, result }) => {
    const text = result.texts.find((found) => found.name === name);
    if (!text?.klDivergence) return undefined;
    return {
      series: [text.klDivergence.windowMeans],
      key: `${point.model} ${keyOfText(text)}`,
    };
  });
}

function repetitionSamples(done: readonly DonePoint[]): Sample[] {
  return generationSamples(done, ({ repetition }) => repetition);
}

/** From a model's own original, on what that wrote. */
function continuationSamples(done: readonly DonePoint[]): Sample[] {
  const samples = generationSamples(done, ({ klDivergence }) => klDivergence);
  return samples.map((sample) => ({ ...sample, key: `${sample.done.point.model} ${sample.key}` }));
}

function generationSamples(
  done: readonly DonePoint[],
  read: (continuation: Continuation) => number | null,
): Sample[] {
  return samplesOf(done, ({ result: { generation } }) => {
    if (!generation) return undefined;
    const { promptsSha256, maxTokens, temperature, seed, continuations } = generation;
    return {
      series: [continuations.map((each) => read(each) ?? Number.NaN)],
      independent: true,
      key: [promptsSha256, maxTokens, temperature, seed].join(" "),
    };
  });
}

function taskSamples(done: readonly DonePoint[], name: string): Sample[] {
  return samplesOf(done, ({ result }) => {
    const task = result.tasks.find((found) => found.name === name);
    return task && { series: [digitsOf(task.right)], key: keyOfTask(task) };
  });
}

/** Tasks of an average, by the accuracy that the paper takes; plain where no paper named it. */
function averageSamples(done: readonly DonePoint[], name: string): Sample[] {
  const known = Object.hasOwn(taskAverages, name) ? taskAverages[name as AverageId] : null;
  return samplesOf(done, ({ result }) => {
    const members = result.averages.find((found) => found.name === name)?.tasks ?? [];
    const tasks = members.flatMap(
      (member) => result.tasks.find((task) => task.name === member) ?? [],
    );
    if (tasks.length === 0 || tasks.length < members.length) return undefined;
    const normalized = known?.measure === "normalizedAccuracy";
    return {
      series: tasks.map(({ right, rightNormalized }) =>
        digitsOf(normalized ? (rightNormalized ?? right) : right),
      ),
      key: tasks.map(keyOfTask).join(" "),
    };
  });
}

function samplesOf(
  done: readonly DonePoint[],
  find: (point: DonePoint) => Omit<Sample, "done"> | undefined,
): Sample[] {
  return done.flatMap((point) => {
    const found = find(point);
    const usable = found?.series.every(
      (values) => values.length >= 2 && Array.from(values).every(Number.isFinite),
    );
    return found && usable ? [{ done: point, ...found }] : [];
  });
}

function keyOfText({ sha256, tokensSha256, protocol, window, windowLosses }: TextFigures): string {
  return [sha256, tokensSha256, protocol, window, windowLosses.length].join(" ");
}

function keyOfTask({ sha256, shots, items }: TaskFigures): string {
  return [sha256, shots, items].join(" ");
}

function digitsOf(right: string): Uint8Array {
  return Uint8Array.from(right, Number);
}

/** Makes a quality of each group of samples that can be compared; the largest group first. */
function gather(
  quality: Omit<MeasuredQuality, "points">,
  samples: readonly Sample[],
  options: DrawOptions,
): MeasuredQuality[] {
  const keys = [...new Set(samples.map(({ key }) => key))];
  const groups = keys.map((key) => samples.filter((sample) => sample.key === key));
  return groups
    .sort((a, b) => b.length - a.length)
    .map((group) => ({ ...quality, points: drawGroup(quality.kind, group, options) }));
}

function drawGroup(
  kind: MeasuredQuality["kind"],
  group: readonly Sample[],
  { draws, seed }: DrawOptions,
): MeasuredPoint[] {
  const independent = group[0]?.independent;
  const strata = group[0]?.series.map(({ length: units }, stratum) => {
    const series = group.map((sample) => sample.series[stratum] ?? []);
    // Tasks of an average are drawn independently of each other.
    const settings = { draws, seed: seed + stratum };
    return kind === "accuracy"
      ? bootstrapShares(series, settings)
      : bootstrapMeans(series, { ...settings, block: independent ? 1 : blockLength(units) });
  });
  return group.map(({ done, series }, index) => ({
    ...done,
    value: meanOf(series.map(meanOf)),
    draws: meanDraws((strata ?? []).map((drawn) => drawn[index] ?? new Float64Array())),
  }));
}

function meanDraws(strata: readonly Draws[]): Draws {
  const [only] = strata;
  if (strata.length === 1 && only) return only;
  return mapDraws(strata, (...values) => meanOf(values));
}
