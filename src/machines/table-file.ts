import {
  absolutePath,
  environmentVariable,
  homeDirectory,
  hostDigits,
  joinPath,
  makeDirectories,
  parentPath,
  readText,
  status,
  writeText,
} from "../platform/node.ts";
import { parseJson } from "../util/json.ts";
import { type MachineTable, parseMachineTable } from "./machine-table.ts";

const largestTable = 20_000_000;

/**
 * Returns where the table of this machine stands: `fewbit/machine-<digits>.json` in the user's cache
 * (`XDG_CACHE_HOME`, else `~/.cache`). Homes may be shared by machines: the digits stand for this one.
 */
export function usualTablePath(): string {
  const caches = environmentVariable("XDG_CACHE_HOME") ?? joinPath(homeDirectory(), ".cache");
  return joinPath(joinPath(absolutePath(caches), "fewbit"), `machine-${hostDigits()}.json`);
}

/** Reads a table. @throws FormatError when the file is missing, too large, or no table */
export async function readMachineTable(path: string): Promise<MachineTable> {
  const hint = "measure anew: `fewbit measure-machine`";
  return parseMachineTable(parseJson(await readText(path, largestTable), path, hint), path);
}

/** Reads the table of this machine; null where none was measured. @throws FormatError */
export async function findMachineTable(): Promise<MachineTable | null> {
  const path = usualTablePath();
  return (await status(path)) === null ? null : readMachineTable(path);
}

/** Writes a table, whole or not at all; folders on the way are made. @throws FormatError */
export async function writeMachineTable(path: string, table: MachineTable): Promise<void> {
  await makeDirectories(parentPath(absolutePath(path)));
  await writeText(path, `${JSON.stringify(table)}\n`);
}
