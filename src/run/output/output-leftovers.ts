import {
  baseName,
  exists,
  hostDigits,
  isProcessAlive,
  joinPath,
  listDirectory,
  parentPath,
  processId,
  randomSuffix,
  remove,
  rename,
} from "../../platform/node.ts";

/** `partial`: an output being written. `replaced`: what an output takes the place of, moved. */
export type BesideKind = "partial" | "replaced";

/**
 * Names a hidden directory beside an output: `.NAME.partial-<process>-<host>-<random>`. Process and
 * host let a later run tell what a killed run left from what a running one still needs.
 */
export function besideName(name: string, kind: BesideKind): string {
  return `.${name}.${kind}-${processId()}-${hostDigits()}-${randomSuffix()}`;
}

/**
 * Removes partial outputs of dead processes of this machine. A replaced checkpoint whose run died
 * between the two renames gets its name back.
 */
export async function cleanLeftovers(final: string): Promise<void> {
  const parent = parentPath(final);
  const prefix = `.${baseName(final)}.`;
  for (const { name } of await listDirectory(parent)) {
    if (!name.startsWith(prefix)) continue;
    const match = /^(partial|replaced)-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}$/.exec(
      name.slice(prefix.length),
    );
    if (!match || match[3] !== hostDigits() || isProcessAlive(Number(match[2]))) continue;
    const path = joinPath(parent, name);
    if (match[1] === "replaced" && !(await exists(final))) await rename(path, final);
    else await remove(path);
  }
}
