import { spawnSync } from "node:child_process";
import {
  cpSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The layers, highest first. A folder imports folders of lower layers. */
const layers: readonly (readonly string[])[] = [
  ["cli"],
  ["server", "report"],
  ["sweep"],
  ["quantize"],
  ["blocks", "train"],
  ["run"],
  ["recipe"],
  ["evaluation"],
  ["machines"],
  ["methods", "runtime"],
  ["calibration", "training", "models", "tokenizers", "formats", "hub"],
  ["nn", "kernels"],
  ["quant"],
  ["tensor", "backend"],
  ["util", "platform"],
];
const folders = layers.flat();

/** Folders of one layer that may nevertheless import each other. */
const neighbours = new Set([
  "tensor > backend",
  "backend > tensor",
  "platform > util",
  "hub > formats",
  "tokenizers > formats",
  "calibration > tokenizers",
  "training > tokenizers",
  "training > calibration",
]);

/** Lower folders that may nevertheless not be imported. */
const never = new Set([
  // A method sees a QuantizableModel, a scheme and statistics, nothing of a model family or a file.
  "methods > models",
  "methods > formats",
  "methods > hub",
  "methods > tokenizers",
  // Running a model needs no training.
  "runtime > training",
]);

function mayImport(from: string, to: string): boolean {
  const edge = `${from} > ${to}`;
  // Kernels are registered by src/index.ts and known to nobody else.
  if (to === "kernels" || never.has(edge)) return false;
  const levelOf = (folder: string) => layers.findIndex((layer) => layer.includes(folder));
  return levelOf(to) > levelOf(from) || neighbours.has(edge);
}

const edges = folders.flatMap((from) =>
  folders.filter((to) => to !== from).map((to) => ({ from, to, file: `src/${from}/to-${to}.ts` })),
);

/** What files may not say, and the rule that must notice it. */
const broken: readonly (readonly [file: string, source: string, rule: string])[] = [
  ["src/nn/type.ts", 'import type { A } from "../models/a.ts";', "no-restricted-imports"],
  ["src/nn/dynamic.ts", 'void import("../models/a.ts");', "no-restricted-imports"],
  ["src/nn/again.ts", 'export * from "../models/a.ts";', "no-restricted-imports"],
  ["src/quant/grids/deep.ts", 'import "../../nn/a.ts";', "no-restricted-imports"],
  ["src/calibration/statistics/a.ts", 'import "../../runtime/a.ts";', "no-restricted-imports"],
  ["src/methods/ptq/a.ts", 'import "../../models/a.ts";', "no-restricted-imports"],
  ["src/methods/ptq/sibling.ts", 'import "./rtn.ts";', "no-restricted-imports"],
  ["src/methods/qat/sibling.ts", 'import "../ptq/rtn.ts";', "no-restricted-imports"],
  ["src/methods/shared/a.ts", 'import "../ptq/rtn.ts";', "no-restricted-imports"],
  ["src/kernels/reference/a.ts", 'import "../native/a.ts";', "no-restricted-imports"],
  ["src/kernels/reference/b.ts", 'import "node:fs";', "no-restricted-imports"],
  ["src/kernels/native/a.ts", 'import "../../nn/a.ts";', "no-restricted-imports"],
  ["src/kernels/webgpu/a.ts", 'import "node:fs";', "no-restricted-imports"],
  ["src/runtime/node.ts", 'import "node:fs";', "no-restricted-imports"],
  ["src/runtime/bare.ts", 'import "fs/promises";', "no-restricted-imports"],
  ["src/quantize/entry.ts", 'import "../index.ts";', "no-restricted-imports"],
  ["src/quantize/itself.ts", 'import "fewbit";', "no-restricted-imports"],
  ["src/index.ts", 'import "./cli/main.ts";', "no-restricted-imports"],
  ["src/util/cycle-a.ts", 'import { b } from "./cycle-b.ts";\nexport const a = b;', "no-cycle"],
  ["src/util/cycle-b.ts", 'import { a } from "./cycle-a.ts";\nexport const b = a;', "no-cycle"],
  [
    "src/util/type-cycle-a.ts",
    'import type { B } from "./type-cycle-b.ts";\nexport type A = B | null;',
    "no-cycle",
  ],
  [
    "src/util/type-cycle-b.ts",
    'import type { A } from "./type-cycle-a.ts";\nexport interface B { readonly a: A }',
    "no-cycle",
  ],
  ["src/util/any.ts", "export const a: any = 1;", "no-explicit-any"],
  ["src/util/console.ts", 'console.log("x");', "no-console"],
  ["src/util/page.ts", "export const a = document.title;", "no-restricted-globals"],
  ["src/util/floating.ts", "const f = async () => 1;\nf();", "no-floating-promises"],
  ["src/util/misused.ts", "const f = async () => true;\nif (f()) f;", "no-misused-promises"],
];

/** What files may say. */
const sound: readonly (readonly [file: string, source: string])[] = [
  ["src/report/sweep/page/fine.ts", "export const a = document.title;"],
  ["src/cli/fine.ts", 'import "node:fs";\nimport "../index.ts";'],
  ["src/platform/fine.ts", 'import "node:fs";'],
  ["src/kernels/native/fine.ts", 'import "node:module";\nimport "../reference/index.ts";'],
  ["src/methods/ptq/fine.ts", 'import "../shared/a.ts";\nimport "../define-method.ts";'],
  ["src/methods/ptq/fine.test.ts", 'import "node:fs";\nimport "../../kernels/reference/index.ts";'],
  ["test/fine.test.ts", 'import "node:fs";\nimport "../src/kernels/native/a.ts";'],
];

let folder = "";
const complaints = new Map<string, string>();

function writeProbe(file: string, source: string): void {
  mkdirSync(dirname(join(folder, file)), { recursive: true });
  writeFileSync(join(folder, file), `${source}\n`);
}

/**
 * Runs the linter with the repository's rules over the probes, which stand in a folder of their
 * own.
 */
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-lint-"));
  cpSync(join(root, ".oxlintrc.json"), join(folder, ".oxlintrc.json"));
  const compilerOptions = { strict: true, target: "ES2024", module: "NodeNext", types: [] };
  writeProbe("tsconfig.json", JSON.stringify({ compilerOptions }));
  for (const [file, source] of [...broken, ...sound]) writeProbe(file, source);
  for (const { file, to } of edges) writeProbe(file, `import "../${to}/a.ts";`);
  const packageFolder = join(root, "node_modules", "oxlint");
  const { bin } = JSON.parse(readFileSync(join(packageFolder, "package.json"), "utf8")) as {
    bin: { oxlint: string };
  };
  const binaries = join(root, "node_modules", ".bin");
  const { stdout } = spawnSync(
    process.execPath,
    [join(packageFolder, bin.oxlint), "--type-aware", "--format", "json", "."],
    {
      cwd: folder,
      encoding: "utf8",
      maxBuffer: 1 << 26,
      env: { ...process.env, PATH: `${binaries}${delimiter}${process.env["PATH"]}` },
    },
  );
  const { diagnostics } = JSON.parse(stdout) as {
    diagnostics: { code: string; filename: string }[];
  };
  for (const { filename, code } of diagnostics) {
    complaints.set(filename, `${complaints.get(filename) ?? ""} ${code}`);
  }
});
afterAll(() => rmSync(folder, { recursive: true }));

const complaintsOf = (file: string) => complaints.get(file) ?? "";

describe("the lint", () => {
  test("knows the layer of every folder of src", () => {
    const present = readdirSync(join(root, "src"), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map(({ name }) => name);
    expect(folders).toEqual(expect.arrayContaining(present));
  });

  test.each(folders)("lets %s import lower layers and nothing else", (from) => {
    const own = edges.filter((edge) => edge.from === from);
    const allowed = own.filter(({ file }) => complaintsOf(file) === "").map(({ to }) => to);
    expect(allowed).toEqual(own.map(({ to }) => to).filter((to) => mayImport(from, to)));
  });

  test.each(broken)("refuses %s: %j by %s", (file, _, rule) => {
    expect(complaintsOf(file)).toContain(rule);
  });

  test.each(sound)("accepts %s: %j", (file) => {
    expect(complaintsOf(file)).toBe("");
  });
});
