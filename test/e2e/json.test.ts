import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fewbitHere } from "./cli-process.ts";

/*
 * What a program reads: with `--json` standard output is one document whatever happens, and
 * standard error tells nothing but how far the command is.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const model = join(root, "builtin/model");
const text = join(root, "builtin/text/validation.txt");
const task = join(root, "builtin/tasks/agreement.jsonl");
const env = { FEWBIT_THREADS: "1" };

const folder = mkdtempSync(join(tmpdir(), "fewbit-json-"));
const at = (name: string): string => join(folder, name);
beforeAll(() => {
  writeFileSync(
    at("sweep.yaml"),
    `name: test
models: [{ id: one, path: ${model} }]
evaluation: { texts: [{ file: ${text}, window: 64, maxWindows: 2 }], speedTokens: 0 }
variants: [{ method: rtn, scheme: w4g32 }]
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const scheme = ["--method", "rtn", "--scheme", "w4g64"];
const onText = ["--text", text, "--window", "64", "--max-windows", "2"];
const progress = /^( {2}(block|window|step|point|stage|resuming|.* answer) ?\d*.*)?$/;

/** Runs a command for a program. What it says meanwhile must be progress. */
async function documentOf(args: readonly string[], stdin = "") {
  const { code, stdout, stderr } = await fewbitHere([...args, "--json"], { env, stdin });
  const document = JSON.parse(stdout) as Record<string, unknown> | unknown[];
  return { code, document, stderr };
}

// In this order: later commands read what earlier ones made.
test.each([
  ["a plan", ["quantize", model, ...scheme, "--out", at("w4"), "--dry-run"]],
  ["a quantization", ["quantize", model, ...scheme, "--out", at("w4")]],
  ["an inspection", ["inspect", at("w4"), "--tensors", "--layers"]],
  ["an evaluation", ["eval", at("w4"), "--against", model, ...onText, "--speed-tokens", "4"]],
  ["an evaluation on a task", ["eval", model, "--task", task, "--limit", "4"]],
  ["a comparison", ["compare", model, at("w4"), ...onText]],
  ["a text", ["run", model, "--prompt", "The", "--max-tokens", "4"]],
  ["an export", ["export", at("w4"), "--format", "hf", "--out", at("plain")]],
  ["a training", ["train", "--from", model, "--text", text, "--steps", "2", "--out", at("more")]],
  ["a sweep's plan", ["sweep", at("sweep.yaml"), "--plan"]],
  ["a sweep", ["sweep", at("sweep.yaml")]],
  ["results", ["results", at("sweep")]],
  ["rows of results", ["results", at("sweep"), "--sql", "SELECT label FROM results"]],
  ["a report", ["report", at("sweep")]],
])("%s is one document, and only progress is told meanwhile", async (_, args) => {
  const { code, document, stderr } = await documentOf(args);
  expect(code).toBe(0);
  for (const line of stderr.split("\n")) expect(line).toMatch(progress);
  if (Array.isArray(document))
    expect(document).toEqual([{ label: "original" }, { label: "rtn w4g32" }]);
  else expect(document).toHaveProperty("notices", expect.any(Array));
});

test("what should be known stands in the document", async () => {
  const narrow = ["--method", "rtn", "--scheme", "w2g64", "--transform", "smoothquant"];
  const calibration = ["--calibration", text, "--samples", "2", "--window", "16"];
  const args = ["quantize", model, ...narrow, ...calibration, "--out", at("w2"), "--dry-run"];
  const { document, stderr } = await documentOf(args);
  expect(document).toHaveProperty("notices", [expect.stringContaining("w2g64")]);
  expect(stderr).toBe("");
});

describe("an error is one document too", () => {
  test.each([
    ["of usage", ["quantize", model, "--method", "rtm"], 2, { code: "USAGE", hint: /rtn\?$/ }],
    ["of options", ["results", "s", "--csv"], 2, { code: "USAGE", message: /cannot be used with/ }],
    [
      "of a field",
      ["quantize", model, ...scheme, "--scheme", "w5", "--out", "o"],
      2,
      { code: "USAGE", field: "scheme" },
    ],
    [
      "of a file",
      ["eval", model, "--text", at("missing.txt")],
      1,
      { code: "FORMAT", message: /missing\.txt/ },
    ],
    ["of a model", ["inspect", at("missing")], 1, { code: "FORMAT" }],
  ])("%s", async (_, args, expected, { hint, message, ...rest }: Record<string, unknown>) => {
    const { code, document, stderr } = await documentOf(args);
    expect(code).toBe(expected);
    const { error } = document as { error: Record<string, string> };
    expect(error).toMatchObject(rest);
    expect(error.hint).toMatch((hint ?? /./) as RegExp);
    expect(error.message).toMatch((message ?? /./) as RegExp);
    expect(stderr).toBe(`error  ${error.message}\n       ${error.hint}\n`);
  });

  test("but a sweep of which a point failed has its results as the document", async () => {
    const recipe = at("failing.yaml");
    writeFileSync(
      recipe,
      `name: failing
models: [{ id: one, path: ${model} }]
evaluation: { texts: [{ file: ${text}, window: 64, maxWindows: 2 }], speedTokens: 0 }
variants: [{ method: gptq, scheme: w4g32, calibration: { files: ${recipe}, samples: 9, window: 64 } }]
retries: 0
`,
    );
    const { code, document, stderr } = await documentOf(["sweep", recipe]);
    expect(code).toBe(1);
    expect(document).toHaveProperty("points", expect.any(Array));
    expect(stderr).toMatch(/error {2}1 of 2 points failed/);
  });
});
