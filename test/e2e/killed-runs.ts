import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { expect } from "vitest";
import { type Finished, fewbit } from "./cli-process.ts";

/*
 * Runs that are stopped at a chosen moment. Killed means SIGKILL of the real program;
 * `stop-at-change.ts` only chooses the moment: before, or in the middle of, a change that it makes
 * to files or to a database.
 */

const preload = new URL("./stop-at-change.ts", import.meta.url).href;

/** The environment in which a process of this name stops itself. */
export const stopIn = (name: string, env: Readonly<Record<string, string>>) => ({
  ...env,
  NODE_OPTIONS: `${process.env.NODE_OPTIONS ?? ""} --import=${preload}`,
  STOP_IN: name,
});

/**
 * Starts a run that is killed at a change: `12`, the first whose line fits `/pattern/`, or with
 * `half` behind it in the middle of that write. Its exit code is null, or 0 when it was over
 * before.
 */
export async function killAt(
  args: readonly string[],
  at: number | string | RegExp,
  env: Readonly<Record<string, string>> = {},
): Promise<Finished> {
  const finished = await fewbit(args, { env: stopIn("main", { ...env, KILL_AT: `${at}` }) });
  const { code, stderr } = finished;
  if (code !== null) expect({ code, stderr }).toMatchObject({ code: 0 });
  return finished;
}

/**
 * The changes that an undisturbed run makes to files, in order. They are noted in the file `log`.
 */
export async function changesOf(args: readonly string[], log: string): Promise<string[]> {
  const { code, stderr } = await fewbit(args, { env: stopIn("main", { KILL_LOG: log }) });
  expect({ code, stderr }).toMatchObject({ code: 0 });
  return readFileSync(log, "utf8").trimEnd().split("\n");
}

/** Numbers of the changes of a kind, counted from 1. */
export function findAll(changes: readonly string[], pattern: RegExp): number[] {
  return changes.flatMap((change, i) => (pattern.test(change) ? [i + 1] : []));
}

/** Number of the n-th change of a kind, counted from 1 (from the end: negative). */
export function find(changes: readonly string[], pattern: RegExp, nth: number): number {
  const found = findAll(changes, pattern).at(nth > 0 ? nth - 1 : nth);
  if (found === undefined) throw new Error(`no change ${nth} of the kind ${pattern}`);
  return found;
}

/** Hashes of all files but the run record, which holds times. */
export function filesOf(folder: string): Record<string, string> {
  const names = readdirSync(folder).filter((name) => name !== "run.json");
  const hash = (name: string): string =>
    createHash("sha256")
      .update(readFileSync(join(folder, name)))
      .digest("hex");
  return Object.fromEntries(names.map((name) => [name, hash(name)]));
}

/** The run record of an output. */
export const recordOf = (out: string) => JSON.parse(readFileSync(join(out, "run.json"), "utf8"));

/** What stands beside an output, its own name left out. */
export const besides = (out: string): string[] =>
  readdirSync(dirname(out)).filter((name) => name !== basename(out));

/** Makes paths for outputs, each in a folder of its own. */
export function outputsIn(inFolder: (name: string) => string): (name: string) => string {
  return (name) => {
    mkdirSync(inFolder(name));
    return join(inFolder(name), "out");
  };
}
