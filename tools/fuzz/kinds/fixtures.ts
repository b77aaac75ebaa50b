import {
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The model that comes with fewbit. */
export const builtinFolder: string = fileURLToPath(new URL("../../../builtin/", import.meta.url));

/** Reads a JSON file. */
export function readJson(path: string): unknown {
  return JSON.parse(readFileSync(path, "utf8"));
}

/** Reads a text of the built-in model's. */
export function readBuiltin(path: string): string {
  return readFileSync(join(builtinFolder, path), "utf8");
}

/** A folder with links to the files of another, except those that are written anew for each case. */
export class Variant {
  readonly path: string;

  constructor(path: string, original: string, without: readonly string[]) {
    this.path = path;
    mkdirSync(path, { recursive: true });
    for (const name of readdirSync(original)) {
      if (!without.includes(name)) symlinkSync(join(original, name), join(path, name));
    }
  }

  write(name: string, contents: string | Uint8Array): string {
    const path = join(this.path, name);
    rmSync(path, { force: true });
    writeFileSync(path, contents);
    return path;
  }
}

/** Puts a fresh copy of a folder in the place of another. */
export function copyFolder(from: string, to: string): void {
  rmSync(to, { recursive: true, force: true });
  cpSync(from, to, { recursive: true });
}
