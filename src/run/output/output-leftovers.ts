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

/**
 * Names a hidden directory beside an output, for what the output takes the place of:
 * `.NAME.replaced-<process>-<host>-<random>`. Process and host let a later run tell what a killed
 * run left from what a running one still needs.
 */
export function asideName(name: string): string {
  return `.${name}.replaced-${processId()}-${hostDigits()}-${randomSuffix()}`;
}

/**
 * Removes what dead processes of this machine moved aside and did not remove. A checkpoint whose
 * run died between the two renames gets its name back.
 */
export async function cleanLeftovers(final: string): Promise<void> {
  const parent = parentPath(final);
  const prefix = `.${baseName(final)}.`;
  for (const { name } of await listDirectory(parent)) {
    if (!name.startsWith(prefix)) continue;
    const match = /^replaced-(\d+)-([0-9a-f]{8})-[0-9a-f]{8}$/.exec(name.slice(prefix.length));
    if (!match || match[2] !== hostDigits() || isProcessAlive(Number(match[1]))) continue;
    const path = joinPath(parent, name);
    if (await exists(final)) await remove(path);
    else await rename(path, final);
  }
}
