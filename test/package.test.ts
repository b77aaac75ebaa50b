import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { version } from "../src/util/version.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "./golden/tiny-checkpoint.ts";

/*
 * The package as others get it: packed, installed into an empty folder, used from there, on the
 * oldest supported Node of this machine. The native addon is the checkout's own, because compiling
 * it takes longer than a test may; `.ci/run` builds the one of the package.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const minutes = 60_000;

/** The oldest Node from 20 on that the PATH offers. */
function findOldestNode(): { node: string; major: number } {
  const name = process.platform === "win32" ? "node.exe" : "node";
  const candidates = (process.env["PATH"] ?? "")
    .split(delimiter)
    .map((folder) => join(folder, name))
    .filter((path) => existsSync(path))
    .map((node) => {
      const { stdout } = spawnSync(node, ["-p", "process.versions.node"], { encoding: "utf8" });
      return { node, major: Number.parseInt(stdout, 10) };
    })
    .filter(({ major }) => major >= 20)
    .sort((a, b) => a.major - b.major);
  return candidates[0] ?? { node: process.execPath, major: Number.parseInt(process.versions.node) };
}

const { node, major } = findOldestNode();

let folder = "";
let packed: string[] = [];
let model: TinyCheckpoint;

function run(command: string, args: readonly string[], cwd: string): string {
  const env = { ...process.env, FEWBIT_ADDON: join(root, "build/fewbit.node"), NO_COLOR: "1" };
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env,
    encoding: "utf8",
  });
  if (status === 0) return stdout;
  const words = [command, ...args].join(" ");
  throw new Error(`${words} ended with ${status}\n${error?.message ?? ""}${stdout}${stderr}`);
}

const fewbit = (...args: string[]): string =>
  run(node, [join(folder, "node_modules/.bin/fewbit"), ...args], folder);

/** Runs a module that can import the package by its name, and parses what it prints. */
function runModule(source: string): unknown {
  writeFileSync(join(folder, "module.js"), source);
  return JSON.parse(run(node, ["module.js"], folder));
}

beforeAll(async () => {
  model = await writeTinyCheckpoint();
  folder = mkdtempSync(join(tmpdir(), "fewbit-package-"));
  run("npm", ["pack", "--silent", "--pack-destination", folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "no tarball";
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const quick = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
  run("npm", ["install", ...quick, join(folder, tarball)], folder);
  const installed = join(folder, "node_modules/fewbit");
  packed = readdirSync(installed, { recursive: true }).map(String);
  const letters = "the quick brown fox jumps over the lazy dog, ";
  writeFileSync(join(folder, "text.txt"), letters.repeat(20));
}, 5 * minutes);

afterAll(async () => {
  await model.remove();
  rmSync(folder, { recursive: true, force: true });
});

describe("the package", () => {
  test("has the library, its types, the command, the licence and the kernels' sources", () => {
    const kernels = ["include", "ops", "runtime"].flatMap((part) =>
      readdirSync(join(root, "native", part)).map((name) => `native/${part}/${name}`),
    );
    const library = ["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "LICENSE"];
    expect(packed).toEqual(expect.arrayContaining([...library, "native/build.mjs", ...kernels]));
  });

  test("has no tests, no sources in TypeScript, and nothing of the checkout's build", () => {
    const unwanted = /\.test\.|(^|\/)test\/|^(src|build|tools|bench)\/|(?<!\.d)\.ts$|\.node$/;
    expect(packed.filter((name) => unwanted.test(name))).toEqual([]);
  });

  test("has one version, which the library and the command both tell", () => {
    const manifest = readFileSync(join(root, "package.json"), "utf8");
    expect((JSON.parse(manifest) as { version: string }).version).toBe(version);
    expect(
      runModule('import { version } from "fewbit"; console.log(JSON.stringify(version));'),
    ).toBe(version);
    expect(fewbit("--version").trim()).toBe(version);
  });
});

describe(`the installed package on Node ${major}`, () => {
  test("explains its commands", () => {
    const help = fewbit("--help");
    for (const name of ["quantize", "eval", "run", "chat", "inspect", "export"]) {
      expect(help).toContain(`  ${name}`);
    }
  });

  test(
    "quantizes, evaluates, inspects and exports by the API",
    () => {
      const results = runModule(`
        import { evaluate, exportCheckpoint, inspect, load, quantize } from "fewbit";
        const original = ${JSON.stringify(model.path)};
        const text = "text.txt";
        await quantize(original, { method: "rtn", scheme: "w4g64", out: "api-w4" });
        const quantized = await load("api-w4");
        const { perplexity } = await evaluate(quantized, { text, window: 64, against: original });
        const { quantization } = await inspect("api-w4");
        await exportCheckpoint("api-w4", { format: "hf", out: "api-hf" });
        const exported = await evaluate("api-hf", { text, window: 64 });
        const { scheme } = quantization;
        console.log(JSON.stringify({ perplexity, scheme, exported: exported.perplexity }));
      `) as { perplexity: number; scheme: string; exported: number };
      expect(results.scheme).toBe("w4g64");
      expect(results.perplexity).toBeGreaterThan(1);
      // The export holds the decoded weights exactly, so only the order of sums may differ.
      expect(results.exported / results.perplexity).toBeCloseTo(1, 4);
    },
    2 * minutes,
  );

  test(
    "quantizes and evaluates by the command",
    () => {
      const scheme = ["--method", "rtn", "--scheme", "w4g64"];
      fewbit("quantize", model.path, ...scheme, "--out", "cli-w4", "--json");
      const measured = ["--text", "text.txt", "--window", "64", "--against", model.path, "--json"];
      const evaluation = JSON.parse(fewbit("eval", "cli-w4", ...measured)) as {
        klDivergence: { mean: number };
        bitsPerWeight: { linear: number };
      };
      expect(evaluation.klDivergence.mean).toBeGreaterThan(0);
      expect(evaluation.bitsPerWeight.linear).toBeGreaterThan(4);
      expect(evaluation.bitsPerWeight.linear).toBeLessThan(6);
    },
    2 * minutes,
  );
});

test("the lockfile has an entry for every optional package, without which npm ci refuses it", () => {
  const { packages } = JSON.parse(readFileSync(join(root, "package-lock.json"), "utf8")) as {
    packages: Record<string, { optionalDependencies?: Record<string, string> }>;
  };
  const missing = Object.values(packages)
    .flatMap(({ optionalDependencies = {} }) => Object.keys(optionalDependencies))
    .filter((name) => !(`node_modules/${name}` in packages));
  expect(missing, "run node tools/complete-lockfile.ts").toEqual([]);
});
