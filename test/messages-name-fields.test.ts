import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

/*
 * The library is used without a command line too: its messages name fields, in backquotes, and the
 * command line turns these into its flags.
 */

const root = fileURLToPath(new URL("../src", import.meta.url));

/** A flag in a sentence or at its begin; words of a command alone, and CSS, are none. */
const flag = /(?<!var)[ (]--[a-z][\w-]*(?![\w-]*:)|["'`]--[a-z][\w-]* /;

function namesFlag(line: string): boolean {
  return flag.test(line) && !/^\s*(\/\*|\*|\/\/)/.test(line);
}

test.each([
  ['hint: "choose another --out",', true],
  ['hint: "--overwrite replaces only model directories",', true],
  ["hint: `use --window ${length} or less (--samples)`,", true],
  ['"--method",', false],
  ["return [`--${flag}`, word];", false],
  ["#record { color: var(--ink); --faint: #fff }", false],
  ["// `--out` is checked before", false],
])("%s: %s", (line, expected) => {
  expect(namesFlag(line)).toBe(expected);
});

test("no message of the library names a flag", () => {
  const found = readdirSync(root, { recursive: true, encoding: "utf8" })
    .filter((name) => /(?<!\.test|\.generated)\.ts$/.test(name) && !/^cli\b/.test(name))
    .flatMap((name) => {
      const lines = readFileSync(join(root, name), "utf8").split("\n");
      return lines.filter(namesFlag).map((line) => `${name}: ${line.trim()}`);
    });
  expect(found).toEqual([]);
});
