import { spawnSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));
const oxlint = join(root, "node_modules", "oxlint");

/** What each file may not say, and the rule that says so. */
const broken: readonly (readonly [file: string, source: string, rule: string])[] = [
  ["src/util/a.ts", 'import "../platform/node.ts";', "no-restricted-imports"],
  ["src/platform/a.ts", 'import "../tensor/tensor.ts";', "no-restricted-imports"],
  ["src/tensor/a.ts", 'import "../quant/scheme.ts";', "no-restricted-imports"],
  ["src/backend/a.ts", 'import "../kernels/native/queue.ts";', "no-restricted-imports"],
  ["src/quant/grids/a.ts", 'import "../../nn/linear.ts";', "no-restricted-imports"],
  ["src/nn/a.ts", 'import "../kernels/reference/index.ts";', "no-restricted-imports"],
  ["src/kernels/native/a.ts", 'import "../../nn/linear.ts";', "no-restricted-imports"],
  ["src/kernels/reference/a.ts", 'import "../../models/llama.ts";', "no-restricted-imports"],
  ["src/kernels/reference/b.ts", 'import "node:fs";', "no-restricted-imports"],
  ["src/formats/a.ts", 'import "../methods/index.ts";', "no-restricted-imports"],
  ["src/tokenizers/a.ts", 'import "../calibration/dataset.ts";', "no-restricted-imports"],
  ["src/models/a.ts", 'import "../methods/index.ts";', "no-restricted-imports"],
  ["src/models/b.ts", 'import "../formats/checkpoint.ts";', "no-restricted-imports"],
  ["src/training/a.ts", 'import "../methods/index.ts";', "no-restricted-imports"],
  ["src/calibration/statistics/a.ts", 'import "../../runtime/load.ts";', "no-restricted-imports"],
  ["src/methods/ptq/a.ts", 'import "../../kernels/native/queue.ts";', "no-restricted-imports"],
  ["src/methods/ptq/b.ts", 'import "../../models/llama.ts";', "no-restricted-imports"],
  ["src/methods/ptq/c.ts", 'import "../../runtime/load.ts";', "no-restricted-imports"],
  ["src/methods/ptq/d.ts", 'import "./rtn.ts";', "no-restricted-imports"],
  ["src/runtime/a.ts", 'import "../methods/index.ts";', "no-restricted-imports"],
  ["src/runtime/b.ts", 'import "node:fs";', "no-restricted-imports"],
  ["src/evaluation/a.ts", 'import "../pipeline/recipe.ts";', "no-restricted-imports"],
  ["src/pipeline/a.ts", 'import "../report/table.ts";', "no-restricted-imports"],
  ["src/report/a.ts", 'import "../cli/main.ts";', "no-restricted-imports"],
  ["src/cli/a.ts", 'import "../kernels/native/queue.ts";', "no-restricted-imports"],
  ["src/util/cycle-a.ts", 'import { b } from "./cycle-b.ts";\nexport const a = b;', "no-cycle"],
  ["src/util/cycle-b.ts", 'import { a } from "./cycle-a.ts";\nexport const b = a;', "no-cycle"],
  ["src/util/any.ts", "export const a: any = 1;", "no-explicit-any"],
  ["src/util/console.ts", 'console.log("x");', "no-console"],
  ["src/util/promise.ts", "const f = async () => 1;\nf();", "no-floating-promises"],
];

/** What files may say. */
const sound: readonly (readonly [file: string, source: string])[] = [
  ["src/cli/fine.ts", 'import "node:fs";\nimport "../pipeline/recipe.ts";\nimport "../index.ts";'],
  ["src/platform/fine.ts", 'import "node:fs";\nimport "../util/errors.ts";'],
  ["src/kernels/native/fine.ts", 'import "node:module";\nimport "../../backend/kernels.ts";'],
  ["src/methods/ptq/fine.ts", 'import "../../quant/scheme.ts";\nimport "../define-method.ts";'],
  ["src/methods/ptq/fine.test.ts", 'import "node:fs";\nimport "../../kernels/reference/index.ts";'],
];

let folder = "";
let complaints: { code: string; filename: string }[] = [];

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-lint-"));
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const options = { strict: true, target: "ES2024", module: "NodeNext", types: [] };
  writeFileSync(join(folder, "tsconfig.json"), JSON.stringify({ compilerOptions: options }));
  for (const [file, source] of [...broken, ...sound]) {
    mkdirSync(dirname(join(folder, file)), { recursive: true });
    writeFileSync(join(folder, file), `${source}\n`);
  }
  const { bin } = JSON.parse(readFileSync(join(oxlint, "package.json"), "utf8"));
  const args = [join(oxlint, bin.oxlint), "--type-aware", "--format", "json", "."];
  const environment = {
    ...process.env,
    PATH: `${join(root, "node_modules/.bin")}:${process.env.PATH}`,
  };
  const { stdout } = spawnSync(process.execPath, args, {
    cwd: folder,
    encoding: "utf8",
    env: environment,
  });
  complaints = JSON.parse(stdout).diagnostics;
});
afterAll(() => rmSync(folder, { recursive: true }));

test.each(broken)("%s: %j breaks %s", (file, _, rule) => {
  const found = complaints.filter(({ filename }) => filename === file).map(({ code }) => code);
  expect(found.join(" ")).toContain(rule);
});

test.each(sound)("%s: %j is allowed", (file) => {
  expect(complaints.filter(({ filename }) => filename === file)).toEqual([]);
});
