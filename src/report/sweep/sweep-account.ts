import type { GenerationFigures } from "../../evaluation/generation/generation.ts";
import type { PointRecord, SweepResults } from "../../sweep/results/sweep-results.ts";
import { describeBeyond } from "../describe-beyond.ts";
import { formatBytes, formatCount, formatDuration, formatPlural } from "../format.ts";

/** A fact about how something was measured. */
export interface Fact {
  readonly name: string;
  readonly text: string;
}

/** A point that has no result, and why. */
export interface Failure {
  readonly record: PointRecord;
  readonly message: string;
  readonly hint: string | null;
}

/** Describes how a sweep was measured: data, protocol, seeds, versions, machine, times. */
export function factsOf(results: SweepResults): Fact[] {
  const { points } = results;
  const done = points.flatMap(({ result }) => (result ? [result] : []));
  const texts = distinct(
    done.flatMap((result) => result.texts),
    ({ name, sha256 }) => name + sha256,
  );
  const tasks = distinct(
    done.flatMap((result) => result.tasks),
    ({ name, sha256 }) => name + sha256,
  );
  const averages = distinct(
    done.flatMap((result) => result.averages),
    ({ name }) => name,
  );
  const prompts = distinct(
    done.flatMap(({ generation }) => (generation ? [generation] : [])),
    ({ promptsSha256, maxTokens, temperature, seed }) =>
      [promptsSha256, maxTokens, temperature, seed].join(" "),
  );
  const machines = distinct(
    points.flatMap(({ machine }) => (machine ? [machine] : [])),
    (machine) => JSON.stringify(machine),
  );
  const backends = distinct(
    done.map(({ backend }) => backend),
    (backend) => JSON.stringify(backend),
  );
  const list = (words: readonly (string | number)[]): string => [...new Set(words)].join(", ");
  const facts: (Fact | null)[] = [
    { name: "points", text: countPoints(points) },
    ...texts.map((text) => ({
      name: "text",
      text:
        `${text.name}: ${formatPlural(text.windows, "window")} of ${text.window} tokens, ` +
        `${formatCount(text.tokens)} predicted tokens, ` +
        `${text.protocol === "windows" ? "all" : "second half"} of each window scored` +
        (text.beyondContext === undefined ? "" : `, ${describeBeyond(text.beyondContext)}`) +
        ` (SHA-256 ${text.sha256.slice(0, 12)}…)`,
    })),
    ...tasks.map((task) => ({
      name: "task",
      text:
        `${task.name}: ${formatPlural(task.items, "item")}, ${task.shots}-shot, ` +
        `chance ${(100 * task.chance).toFixed(0)} % (SHA-256 ${task.sha256.slice(0, 12)}…)`,
    })),
    ...prompts.map((generation) => ({ name: "prompts", text: describePrompts(generation) })),
    ...averages.map(({ name, tasks: names }) => ({
      name: "average",
      text: `${name}: mean of ${names.join(", ")}`,
    })),
    { name: "seeds", text: list(points.map(({ point }) => point.seed)) },
    { name: "fewbit", text: list(points.flatMap(({ fewbit }) => (fewbit ? [fewbit] : []))) },
    ...backends.map(({ id, level, threads }) => ({
      name: "backend",
      text: `${id} (${level}), ${formatPlural(threads, "thread")}`,
    })),
    ...machines.map((machine) => ({
      name: "machine",
      text:
        `${machine.processor}, ${formatPlural(machine.cores, "core")}, ` +
        `${formatBytes(machine.memoryBytes)} memory, ${machine.system} ${machine.architecture}, ` +
        `${machine.runtime}`,
    })),
    timesOf(points),
  ];
  return facts.filter((fact) => fact !== null && fact.text !== "") as Fact[];
}

function describePrompts({
  promptSet,
  promptsSha256,
  continuations,
  maxTokens,
  temperature,
  seed,
}: GenerationFigures): string {
  const which = promptSet === null ? "of a file" : `of the set ${promptSet}`;
  const how = temperature === 0 ? "greedily" : `at temperature ${temperature}, seed ${seed}`;
  return (
    `${continuations.length} ${which}, continued ${how} by at most ` +
    `${formatPlural(maxTokens, "token")} (SHA-256 ${promptsSha256.slice(0, 12)}…)`
  );
}

/** The points that failed, with the reason of their last attempt. */
export function failuresOf({ points }: SweepResults): Failure[] {
  return points
    .filter(({ status }) => status === "failed")
    .map((record) => ({
      record,
      message: record.error?.message ?? "no reason is known",
      hint: record.error?.hint ?? null,
    }));
}

/** The points that have neither a result nor a failure yet. */
export function unfinishedOf({ points }: SweepResults): PointRecord[] {
  return points.filter(({ status }) => status === "waiting" || status === "running");
}

function countPoints(points: readonly PointRecord[]): string {
  const count = (status: PointRecord["status"]): number =>
    points.filter((record) => record.status === status).length;
  const parts = [`${count("done")} of ${points.length} measured`];
  if (count("failed") > 0) parts.push(`${count("failed")} failed`);
  const open = count("waiting") + count("running");
  if (open > 0) parts.push(`${open} not done`);
  return parts.join(", ");
}

function timesOf(points: readonly PointRecord[]): Fact | null {
  const made = points.reduce((sum, { result }) => sum + (result?.makeMs ?? 0), 0);
  const measured = points.reduce((sum, { result }) => sum + (result?.evaluationMs ?? 0), 0);
  const starts = points.flatMap(({ startedAt }) => (startedAt ? [startedAt] : [])).sort();
  const ends = points.flatMap(({ finishedAt }) => (finishedAt ? [finishedAt] : [])).sort();
  const [first] = starts;
  const last = ends.at(-1);
  if (first === undefined || last === undefined) return null;
  return {
    name: "times",
    text:
      `${formatDuration(made)} of making, ${formatDuration(measured)} of measuring, ` +
      `from ${dayAndTime(first)} to ${dayAndTime(last)} (UTC)`,
  };
}

function dayAndTime(iso: string): string {
  return iso.slice(0, 16).replace("T", " ");
}

function distinct<T>(values: readonly T[], key: (value: T) => string): T[] {
  return [...new Map(values.map((value) => [key(value), value])).values()];
}
