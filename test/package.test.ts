import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

/*
 * The package as others get it: packed, installed into an empty folder, used from there. Where npm says
 * which Node started it, that one is used: the published JavaScript runs on Node 20. The native addon is
 * the checkout's own; `.ci/run` builds the one of the package.
 */

const root = fileURLToPath(new URL("..", import.meta.url));
const shared = fileURLToPath(new URL("../../shared/data/", import.meta.url));
const model = join(shared, "models/stories260K");
const title = existsSync(model) ? "" : " (skipped: ../shared/data is not there)";
const node = process.env.npm_node_execpath ?? process.execPath;
const npm = process.env.npm_execpath ? [node, process.env.npm_execpath] : ["npm"];
const minutes = 60_000;

let folder = "";

function run(command: readonly string[], cwd: string): string {
  const env = { ...process.env, FEWBIT_ADDON: join(root, "build/fewbit.node"), NO_COLOR: "1" };
  const [program, ...args] = command;
  const { status, stdout, stderr, error } = spawnSync(program, args, {
    cwd,
    env,
    encoding: "utf8",
  });
  if (status === 0) return stdout;
  throw new Error(`${command.join(" ")} ended with ${status}\n${error ?? ""}${stdout}${stderr}`);
}

const command = (...args: string[]): string =>
  run([node, join(folder, "node_modules/.bin/fewbit"), ...args], folder);

/** Runs a module that can import the package by its name. */
function script(name: string, source: string): string {
  writeFileSync(join(folder, name), source);
  return run([node, name], folder);
}

beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-package-"));
  run([...npm, "pack", "--silent", "--pack-destination", folder], root);
  const tarball = readdirSync(folder).find((name) => name.endsWith(".tgz")) ?? "no tarball";
  writeFileSync(join(folder, "package.json"), '{ "private": true, "type": "module" }\n');
  const options = ["--no-audit", "--no-fund", "--prefer-offline", "--ignore-scripts"];
  run([...npm, "install", ...options, join(folder, tarball)], folder);
}, 5 * minutes);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

test("the package holds what it needs, and no tests", () => {
  const files = readdirSync(join(folder, "node_modules/fewbit"), { recursive: true }).map(String);
  for (const name of ["dist/index.js", "dist/index.d.ts", "dist/cli/main.js", "LICENSE"]) {
    expect(files).toContain(name);
  }
  expect(files).toContain("native/build.mjs");
  expect(files.filter((name) => /\.test\.|^src\/|^test\//.test(name))).toEqual([]);
});

test("the API is imported by the package's name", () => {
  const source =
    'import * as fewbit from "fewbit";\nconsole.log(JSON.stringify(Object.keys(fewbit)));\n';
  expect(JSON.parse(script("names.js", source))).toEqual(
    expect.arrayContaining(["load", "quantize", "evaluate"]),
  );
});

test("the command explains itself", () => {
  const help = command("--help");
  for (const name of ["quantize", "eval", "run", "chat", "inspect", "export"]) {
    expect(help).toContain(name);
  }
  const version = run([node, "-p", 'require("./package.json").version'], root).trim();
  expect(command("--version")).toContain(version);
});

describe.skipIf(title !== "")(`with a real model${title}`, () => {
  test(
    "the command quantizes, evaluates and continues a text",
    () => {
      const text = join(shared, "text/tinystories-eval.txt");
      command("quantize", model, "--method", "rtn", "--scheme", "w4g64", "--out", "w4", "--json");
      const evaluated = command(
        ...["eval", "w4", "--text", text, "--window", "256", "--max-windows", "2", "--json"],
      );
      expect(JSON.parse(evaluated).perplexity).toBeGreaterThan(1);
      const options = ["--prompt", "Once upon a time", "--max-tokens", "8", "--temperature", "0"];
      expect(command("run", model, ...options)).toContain("there was a little");
    },
    2 * minutes,
  );

  test(
    "the API quantizes, loads and evaluates",
    () => {
      const source = `
        import { evaluate, load, quantize } from "fewbit";
        const [model, text, out] = ${JSON.stringify([model, join(shared, "text/tinystories-eval.txt"), "api-w8"])};
        await quantize(model, { method: "rtn", scheme: "w8", out });
        const quantized = await load(out);
        const { perplexity } = await evaluate(quantized, { text, window: 256, maxWindows: 2 });
        console.log(perplexity);
      `;
      expect(Number(script("quantize.js", source))).toBeGreaterThan(1);
    },
    2 * minutes,
  );
});
