import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { methods } from "../../src/methods/index.ts";
import { recipeFields } from "../../src/recipe/recipe.ts";
import { fewbit, fewbitHere } from "./cli-process.ts";

const commands =
  "quantize train eval compare sweep results report run chat inspect imatrix export".split(" ");

describe("help", () => {
  test.each(commands)(
    "fewbit %s -h starts with a working example and fits 80 columns",
    async (name) => {
      const { code, stdout, stderr } = await fewbitHere([name, "-h"], { terminal: false });
      expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
      expect(stdout.trimStart()).toMatch(new RegExp(`^fewbit ${name} (\\./)?\\w`));
      for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
      expect(stdout.split("\n").length).toBeLessThanOrEqual(51);
    },
  );

  test.each(commands)("fewbit %s --help-all has all of that, and fits 80 columns", async (name) => {
    const { code, stdout } = await fewbitHere([name, "--help-all"]);
    expect(code).toBe(0);
    for (const line of stdout.split("\n")) expect(line.length).toBeLessThanOrEqual(80);
    const short = await fewbitHere([name, "-h"]);
    const flags = (text: string): string[] => text.match(/^ {2}(-h, )?--[\w-]+/gm) ?? [];
    expect(flags(stdout)).toEqual(expect.arrayContaining(flags(short.stdout)));
    const more = /--help-all explains (\d+) more option/.exec(short.stdout)?.[1] ?? 0;
    expect(flags(stdout).length - flags(short.stdout).length).toBe(Number(more));
    expect((await fewbitHere(["help", name, "--help-all"])).stdout).toBe(stdout);
  });

  test("what most need is said by the fields themselves", async () => {
    const { stdout } = await fewbitHere(["quantize", "-h"]);
    for (const { flag, common, off } of recipeFields) {
      const shown = stdout.includes(`\n  --${off === undefined ? "" : "no-"}${flag} `);
      expect({ flag, shown }).toEqual({ flag, shown: common ?? false });
    }
  });

  test("the program's help names every command", async () => {
    const { code, stdout } = await fewbit(["--help"]);
    expect(code).toBe(0);
    for (const name of commands) expect(stdout).toMatch(new RegExp(`^  ${name}  `, "m"));
  });

  test("every option of every method has a flag, with its schema's words", async () => {
    const { stdout } = await fewbitHere(["quantize", "--help-all"]);
    const help = stdout.replaceAll(/\s+/g, " ");
    for (const method of Object.values(methods)) {
      expect(help).toContain(`${method.id} ${method.summary}`.trim());
      const prefix = method.role === "quantizer" ? "" : `${method.id}-`;
      for (const [name, schema] of Object.entries(method.options.shape)) {
        const flag = name.replaceAll(/[A-Z]/g, (c) => `-${c.toLowerCase()}`);
        expect(help).toContain(`--${prefix}${flag} `);
        expect(help).toContain(schema.description ?? "every option is described");
      }
    }
  });

  test("fewbit help COMMAND is the command's own help", async () => {
    expect(await fewbitHere(["help", "run"])).toEqual(await fewbitHere(["run", "-h"]));
  });

  test("--version prints the package's version and nothing else", async () => {
    const text = readFileSync(new URL("../../package.json", import.meta.url), "utf8");
    const { version } = JSON.parse(text) as { version: string };
    expect(await fewbitHere(["--version"])).toEqual({
      code: 0,
      stdout: `${version}\n`,
      stderr: "",
    });
  });

  test("without a command, help goes to standard error and the exit code is 2", async () => {
    const { code, stdout, stderr } = await fewbitHere([]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    expect(stderr).toContain("Usage: fewbit COMMAND");
  });
});

describe("usage errors are two lines, exit code 2, and nothing on standard output", () => {
  const example = ["quantize", "m", "--out", "o", "--scheme", "w4", "--method", "rtn"];
  test.each([
    [
      "an unknown option",
      ["quantize", "m", "--shceme", "w4"],
      "'--shceme'",
      "did you mean --scheme?",
    ],
    ["an unknown command", ["quantise", "m"], "'quantise'", "did you mean quantize?"],
    [
      "an option of another method",
      [...example, "--damping", "0.1"],
      "--damping is an option of gptq",
      "rtn has --mse",
    ],
    [
      "a missing option",
      ["quantize", "m", "--method", "rtn"],
      "--scheme, --out are missing",
      "quantize -h",
    ],
    ["a missing model", ["inspect"], "missing required argument 'model'", "fewbit inspect -h"],
    [
      "an unknown method",
      ["quantize", "m", "--method", "gptx"],
      "Allowed choices are rtn, gptq",
      "did you mean gptq?",
    ],
    [
      "a method that is like none",
      ["quantize", "m", "--method", "something"],
      "Allowed choices are rtn, gptq",
      "quantize -h",
    ],
    [
      "a transform as the method",
      ["quantize", "m", "--method", "awq", "--scheme", "w4", "--out", "o"],
      "AWQ prepares weights",
      "--transform awq --method rtn",
    ],
    [
      "a preset as the method",
      ["quantize", "m", "--method", "efficientqat", "--scheme", "w2", "--out", "o"],
      "efficientqat is a preset",
      "--preset efficientqat",
    ],
    ["an unknown preset", [...example, "--preset", "onbit"], "'onbit'", "did you mean onebit?"],
    ["an unknown transform", [...example, "--transform", "akw"], "'akw'", "did you mean awq?"],
    ["an unknown finisher", [...example, "--finish", "e2eqp"], "'e2eqp'", "did you mean e2e-qp?"],
    ["an unknown protocol", ["eval", "m", "--protocol", "second"], "'second'", "mean second-half?"],
    ["an unknown average", ["eval", "m", "--average", "onebit"], "'onebit'", "mean onebit-6?"],
    ["help about an unknown command", ["help", "sewep"], "'sewep'", "did you mean sweep?"],
    [
      "bits that there are not",
      [...example.slice(0, 4), "--method", "rtn", "--scheme", "w5g64"],
      "5 bits is not offered",
      "did you mean w4g64? schemes are w<bits>",
    ],
    [
      "a layer of such a scheme",
      [...example, "--layer", "mlp=w16"],
      "16 bits is not offered",
      "did you mean w8?",
    ],
    [
      "a folder as a model of the Hub",
      ["inspect", "hf:./llama"],
      '"hf:./llama" names no model',
      "leave out hf: and write ./llama",
    ],
    ["an empty model", ["inspect", ""], "the argument <model> is empty", "variable of the shell"],
    ["an empty file", ["eval", "m", "--text", ""], "--text is empty", "variable of the shell"],
    ["an empty entry", [...example, "--ignore", ""], "--ignore is empty", "variable of the shell"],
    ["a window without a target", ["eval", "m", "--window", "1"], "of at least 2", "eval -h"],
    ["a configuration that is no JSON", ["train", "{", "--out", "o"], "is not JSON", "quote it"],
    [
      "a number that is none",
      ["eval", "m", "--window", "many"],
      "whole number of at least 2",
      "eval -h",
    ],
    ["a share above 1", ["run", "m", "--top-p", "1.5"], "a number from 0 to 1", "run -h"],
    [
      "a layer without scheme",
      [...example, "--layer", "mlp"],
      "Expected PATTERN=SCHEME",
      "quantize -h",
    ],
    [
      "a weight of zero",
      [...example, "--calibration", "a.txt=0"],
      "a weight above 0",
      "quantize -h",
    ],
    ["two models", ["inspect", "a", "b"], "too many arguments", "inspect -h"],
    [
      "two sources of calibration",
      [...example, "--calibration", "a", "--self-calibration"],
      "not both",
      "leave out",
    ],
    [
      "quiet and verbose",
      ["inspect", "a", "--quiet", "--verbose"],
      "cannot be used with",
      "inspect -h",
    ],
  ])("%s", async (_, args, message, hint) => {
    const { code, stdout, stderr } = await fewbitHere(args);
    expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
    const [first = "", second = "", ...rest] = stderr.split("\n");
    expect(first).toMatch(/^error {2}\S/);
    expect(first).toContain(message);
    expect(second).toMatch(/^ {7}\S/);
    expect(second).toContain(hint);
    expect(rest).toEqual([""]);
  });

  test("run without a prompt on a terminal asks for one", async () => {
    const { code, stderr } = await fewbitHere(["run", "m"], { terminal: true });
    expect(code).toBe(2);
    expect(stderr).toContain("--prompt");
  });

  test("chat with --json on a terminal is refused before the model is read", async () => {
    const { code, stderr } = await fewbitHere(["chat", "./no-such-model", "--json"], {
      terminal: true,
    });
    expect(code).toBe(2);
    expect(stderr).toContain("standard input");
  });
});

describe("failures", () => {
  test("a missing model is one line of what and one of what to do, exit code 1", async () => {
    const { code, stdout, stderr } = await fewbit(["inspect", "./no-such-model"]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
    expect(stderr).toMatch(/^error {2}.*no-such-model.*\n {7}\S.*\n$/);
  });

  test("stack traces are for FEWBIT_DEBUG only", async () => {
    const args = ["inspect", "./no-such-model"];
    expect((await fewbitHere(args)).stderr).not.toContain("at ");
    expect((await fewbitHere(args, { env: { FEWBIT_DEBUG: "1" } })).stderr).toMatch(/\n\s+at /);
  });

  test("red stands for failure on a terminal only, and not with NO_COLOR", async () => {
    const args = ["inspect", "./no-such-model"];
    // biome-ignore format: the escape sequence in one piece
    const red = "\u001b[31merror\u001b[39m";
    expect((await fewbitHere(args, { terminal: true })).stderr).toContain(red);
    expect((await fewbitHere(args, { terminal: true, env: { NO_COLOR: "1" } })).stderr).toMatch(
      /^error {2}/,
    );
    expect((await fewbitHere(args)).stderr).toMatch(/^error {2}/);
  });
});
