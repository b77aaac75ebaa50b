import { readdir, readFile } from "node:fs/promises";
import { join, relative, sep } from "node:path";
import { systemErrorCode } from "./file-errors.ts";
import { packageRoot } from "./node-package-root.ts";

/**
 * Reads all files below a folder of this package, by their paths in it with `/` between names; empty
 * where there is no such folder.
 */
export async function readPackageFiles(folder: string): Promise<ReadonlyMap<string, Uint8Array>> {
  const files = new Map<string, Uint8Array>();
  for (const path of await filesBelow(join(packageRoot, folder))) {
    const name = relative(join(packageRoot, folder), path).split(sep).join("/");
    files.set(name, await readFile(path));
  }
  return files;
}

async function filesBelow(folder: string): Promise<readonly string[]> {
  try {
    const entries = await readdir(folder, { recursive: true, withFileTypes: true });
    return entries
      .filter((entry) => entry.isFile())
      .map(({ parentPath, name }) => join(parentPath, name))
      .toSorted();
  } catch (error) {
    if (systemErrorCode(error) === "ENOENT") return [];
    throw error;
  }
}
