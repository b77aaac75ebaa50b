/**
 * Compares fewbit with Python libraries over generated inputs.
 *
 *   npm run reference                                every subject
 *   npm run reference -- tokenizers --count 2000     one of them
 *   npm run reference -- tokenizers --seed 7         other cases
 *   npm run reference -- families --only stablelm    of the cases those whose input has this text
 *   npm run reference -- tokenizers --golden         stores answers for npm test
 *
 * Needs a Python with the packages of tools/reference/requirements.txt: $FEWBIT_PYTHON, or python3.
 * Subjects that need more (configs: torch, which is large) are skipped unless they are asked for.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import {
  type Difference,
  findDifferences,
  makeCases,
  type ReferenceAnswers,
} from "./reference/compare-answers.ts";
import type { Json, Subject } from "./reference/subject.ts";
import { subjects } from "./reference/subjects.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    count: { type: "string", default: "500" },
    seed: { type: "string", default: "1" },
    only: { type: "string", default: "" },
    golden: { type: "boolean", default: false },
  },
});
const [count, seed] = [Number(values.count), Number(values.seed)];
const python = process.env.FEWBIT_PYTHON ?? "python3";
/** Differences that are printed in full. */
const mostShown = 10;

function askPython(subject: Subject, cases: readonly Json[]): ReferenceAnswers {
  const file = `answer_${subject.name.replaceAll("-", "_")}.py`;
  const script = fileURLToPath(new URL(`reference/${file}`, import.meta.url));
  const { status, stdout, error } = spawnSync(python, [script], {
    input: JSON.stringify(cases),
    encoding: "utf8",
    stdio: ["pipe", "pipe", "inherit"],
    maxBuffer: 2 ** 30,
  });
  if (error) throw error;
  if (status !== 0) throw new Error(`${python} ${script} ended with exit code ${status}`);
  const { versions, answers } = JSON.parse(stdout);
  return { seed, versions, cases, answers };
}

/** Packages of a subject that the Python lacks. */
function missingPackages({ packages }: Subject): string[] {
  const script =
    "import importlib.util, sys\nprint(*[n for n in sys.argv[1:] if not importlib.util.find_spec(n)])";
  const { stdout, error } = spawnSync(python, ["-c", script, ...packages], { encoding: "utf8" });
  if (error) throw error;
  return stdout.split(/\s+/).filter((name) => name !== "");
}

function show(subject: Subject, differences: readonly Difference[]): void {
  for (const { index, input, ours, theirs } of differences.slice(0, mostShown)) {
    console.log(`  case ${index}: ${subject.describe?.(input) ?? JSON.stringify(input)}`);
    console.log(`    fewbit   ${JSON.stringify(ours)}`);
    console.log(`    library  ${JSON.stringify(theirs)}`);
  }
}

const chosen = subjects.filter(
  ({ name }) => positionals.length === 0 || positionals.includes(name),
);
const unknown = positionals.filter((name) => !subjects.some((subject) => subject.name === name));
if (unknown.length > 0) {
  const names = subjects.map(({ name }) => name).join(", ");
  throw new Error(`no subject is called ${unknown.join(", ")}; there are ${names}`);
}
for (const subject of chosen) {
  const missing = missingPackages(subject);
  if (missing.length > 0 && positionals.length === 0) {
    console.log(`${subject.name}: skipped, there is no ${missing.join(", ")}`);
    continue;
  }
  const file = subject.missing?.() ?? null;
  if (file !== null) {
    console.log(`${subject.name}: skipped, ${file} is not there`);
    continue;
  }
  const all = makeCases(subject, values.golden ? subject.goldenCases : count, seed);
  const cases = all.filter((input) => JSON.stringify(input).includes(values.only));
  const reference = askPython(subject, cases);
  const versions = Object.entries(reference.versions).map((pair) => pair.join(" "));
  const differences = await findDifferences(subject, reference);
  const equal = `${cases.length - differences.length} of ${cases.length}`;
  console.log(`${subject.name}: ${equal} as ${versions.join(", ")} (seed ${seed})`);
  show(subject, differences);
  if (differences.length > 0) process.exitCode = 1;
  if (values.golden) {
    const path = new URL(`../test/golden/reference-${subject.name}.json`, import.meta.url);
    writeFileSync(path, `${JSON.stringify(reference)}\n`);
  }
}
