import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync } from "node:fs";
import { basename, dirname, join, relative } from "node:path";
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
  if (finished.code !== null) expectDone(finished);
  return finished;
}

/**
 * The changes that an undisturbed run makes to files, in order: those of the process of this name,
 * the program itself or one that it starts. They are noted in the file `log`.
 */
export async function changesOf(
  args: readonly string[],
  log: string,
  process = "main",
  env: Readonly<Record<string, string>> = {},
): Promise<string[]> {
  expectDone(await fewbit(args, { env: stopIn(process, { ...env, KILL_LOG: log }) }));
  return readFileSync(log, "utf8").trimEnd().split("\n");
}

/** @throws Error with what a command wrote when it failed */
export function expectDone({ code, stderr }: Finished): void {
  if (code !== 0) throw new Error(`ended with ${code}: ${stderr}`);
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

/** Hashes of all files but run records, which hold times; hidden files and folders included. */
export function filesOf(folder: string): Record<string, string> {
  const files: Record<string, string> = {};
  for (const entry of readdirSync(folder, { withFileTypes: true, recursive: true })) {
    const path = join(entry.parentPath, entry.name);
    const isCounted = entry.isFile() && entry.name !== "run.json";
    if (isCounted) files[relative(folder, path)] = hashOf(path);
    else if (entry.name.startsWith(".")) files[relative(folder, path)] = "a folder";
  }
  return files;
}

const hashOf = (path: string): string =>
  createHash("sha256").update(readFileSync(path)).digest("hex");

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
