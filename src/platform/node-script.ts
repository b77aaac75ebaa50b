import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { compileFunction } from "node:vm";

/**
 * Runs a package whose only file is a script in the form of CommonJS, however the package calls it,
 * and returns what it exports. Each call runs it anew, with a memory of its own. What it writes to
 * the console comes to `onLine`. It sees no `process`: to it, it runs nowhere in particular.
 */
export function runPackageScript(name: string, onLine: (line: string) => void): unknown {
  const file = fileURLToPath(import.meta.resolve(name));
  const note = (...words: readonly unknown[]): void => onLine(words.join(" "));
  const console = { log: note, info: note, warn: note, error: note };
  const script = { exports: {} };
  const words = ["exports", "module", "require", "__filename", "__dirname", "console", "process"];
  const run = compileFunction(readFileSync(file, "utf8"), words, { filename: file });
  run(script.exports, script, createRequire(file), file, dirname(file), console);
  return script.exports;
}
