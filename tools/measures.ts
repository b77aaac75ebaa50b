/**
 * Counts how many places know one thing, and how large the source is, in a revision (default: the
 * working tree):
 *
 *   node tools/measures.ts [REVISION]
 */
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [revision] = process.argv.slice(2);

const git = (...words: string[]): string =>
  execFileSync("git", words, { encoding: "utf8", maxBuffer: 1 << 28 });

/** Source files of the revision, tests left out, with their lines. */
function sources(): Map<string, string[]> {
  const listed = revision
    ? git("ls-tree", "-r", "--name-only", revision, "src")
    : git("ls-files", "--cached", "--others", "--exclude-standard", "src");
  const names = listed
    .split("\n")
    .filter((name) => name.endsWith(".ts") && !name.endsWith(".test.ts"));
  return new Map(
    names.map((name) => {
      const text = revision ? git("show", `${revision}:${name}`) : readFileSync(name, "utf8");
      return [name, text.replace(/\n$/, "").split("\n")];
    }),
  );
}

const files = sources();

function filesThat(has: (line: string) => boolean): string[] {
  return [...files].filter(([, lines]) => lines.some(has)).map(([name]) => name);
}

function count(lines: (line: string, file: string) => boolean): number {
  return [...files].reduce(
    (sum, [file, all]) => sum + all.filter((line) => lines(line, file)).length,
    0,
  );
}

const isComment = (line: string): boolean => /^\s*(\/\*|\*|\/\/)/.test(line);
/** As in test/messages-name-fields.test.ts. */
const flag = /(?<!var)[ (]--[a-z][\w-]*(?![\w-]*:)|["'`]--[a-z][\w-]* /;
const namesFlag = (line: string, file: string): boolean =>
  !file.startsWith("src/cli/") && !isComment(line) && flag.test(line);

function say(what: string, value: number, most: string): void {
  console.log(`${what.padEnd(58)}${String(value).padStart(6)}   ${most}`);
}

say(
  "lines of src, tests left out",
  count(() => true),
  "about 41,000",
);
for (const [name, most] of [
  ["activationRange", 3],
  ["trueSequential", 3],
  ["ignore", 3],
  ["cacheDType", 3],
  ["topTokenAgreement", 4],
  ["accuracyAboveChance", 4],
  ["peakMemoryBytes", 4],
] as const) {
  const naming = filesThat(
    (line) => !isComment(line) && new RegExp(`(?<![-"])\\b${name}\\b`).test(line),
  );
  say(`files that name ${name}`, naming.length, `at most ${most}`);
}
say("lines outside cli/ that name a flag", count(namesFlag), "none");
say(
  "lines wider than 100",
  count((line) => line.length > 100),
  "none",
);
const folders = new Map<string, number>();
for (const name of files.keys()) folders.set(dirname(name), (folders.get(dirname(name)) ?? 0) + 1);
say("files in the fullest folder", Math.max(...folders.values()), "about 25");
