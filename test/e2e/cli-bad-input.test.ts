import { execFileSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { fewbitHere, noSharedData, sharedData } from "./cli-process.ts";

const model = sharedData("models/babyllama-tok105");
const reason = noSharedData ? ` (skipped: ${noSharedData})` : "";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-bad-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

/** Copies the model and damages the copy. */
function damaged(name: string, damage: (path: string) => void): string {
  const path = join(folder, name);
  cpSync(model, path, { recursive: true });
  damage(path);
  return path;
}

function editConfig(change: Record<string, unknown>): (path: string) => void {
  return (path) => {
    const file = join(path, "config.json");
    const config = JSON.parse(readFileSync(file, "utf8")) as object;
    writeFileSync(file, JSON.stringify({ ...config, ...change }));
  };
}

/** Puts a NaN and an infinity at the start of a float16 tensor. */
function spoilWeights(tensor: string): (path: string) => void {
  return (path) => {
    const file = join(path, "model.safetensors");
    const bytes = readFileSync(file);
    const headerBytes = Number(bytes.readBigUInt64LE(0));
    const header = JSON.parse(bytes.toString("utf8", 8, 8 + headerBytes)) as Record<
      string,
      { data_offsets: [number, number] }
    >;
    const start = 8 + headerBytes + (header[tensor]?.data_offsets[0] ?? 0);
    bytes.writeUInt16LE(0x7e00, start);
    bytes.writeUInt16LE(0x7c00, start + 2);
    writeFileSync(file, bytes);
  };
}

/** Puts a pipe, to which nobody writes, in the place of a file. */
function makePipe(path: string): void {
  rmSync(path);
  execFileSync("mkfifo", [path]);
}

const weightsFile = "model.safetensors";
const damages: [string, (path: string) => void, RegExp][] = [
  ["weights are missing", (path) => rmSync(join(path, weightsFile)), /has no weights/],
  [
    "weights are cut short",
    (path) => truncateSync(join(path, weightsFile), 1e6),
    /is truncated.*1,872,896 bytes/,
  ],
  [
    "the header is cut short",
    (path) => truncateSync(join(path, weightsFile), 100),
    /model\.safetensors/,
  ],
  [
    "the header's length is absurd",
    (path) => writeFileSync(join(path, weightsFile), Buffer.alloc(64, 0x7f)),
    /model\.safetensors/,
  ],
  [
    "weights are a pipe",
    (path) => makePipe(join(path, weightsFile)),
    /model\.safetensors: it is a named pipe/,
  ],
  [
    "the tokenizer is a pipe",
    (path) => makePipe(join(path, "tokenizer.json")),
    /tokenizer\.json: it is a named pipe/,
  ],
  ["config.json is missing", (path) => rmSync(join(path, "config.json")), /no config\.json/],
  [
    "config.json is no JSON",
    (path) => writeFileSync(join(path, "config.json"), "{"),
    /config\.json is not JSON/,
  ],
  ["the architecture is unknown", editConfig({ model_type: "mamba" }), /"mamba" is not supported/],
  [
    "shapes do not fit the config",
    editConfig({ intermediate_size: 360 }),
    /expected shape \[360, 128\].*got \[352, 128\]/,
  ],
  [
    "weights are NaN and infinite",
    spoilWeights("model.layers.2.mlp.up_proj.weight"),
    /model\.layers\.2\.mlp\.up_proj\.weight.*1 NaN.*1 infinite/,
  ],
];

describe.skipIf(noSharedData)(
  `bad input is one line of what and one of what to do${reason}`,
  () => {
    test.each(damages)("when %s, and no output appears", async (name, damage, message) => {
      const path = damaged(name.replaceAll(" ", "-"), damage);
      const before = readdirSync(folder);
      const out = join(folder, "out");
      const args = ["--method", "rtn", "--scheme", "w4g64", "--out", out, "--quiet"];
      const { code, stdout, stderr } = await fewbitHere(["quantize", path, ...args]);
      expect({ code, stdout }).toEqual({ code: 1, stdout: "" });
      expect(stderr).toMatch(/^error {2}[^\n]+\n( {7}[^\n]+\n)?$/);
      expect(stderr).toMatch(message);
      expect(readdirSync(folder)).toEqual(before);
    });

    test.each([
      ["bits that no grid has", ["--scheme", "w5g64"], 2, /5 bits/],
      ["a scheme that does not parse", ["--scheme", "four"], 2, /"four" is not a scheme id/],
      [
        "a pattern that fits nothing",
        ["--ignore", "mlp.gone"],
        2,
        /"mlp\.gone" fits no linear layer/,
      ],
      ["a method without its data", ["--method", "gptq"], 2, /needs calibration text/],
      [
        "calibration text that is missing",
        ["--calibration", "/no/such.txt", "--window", "64"],
        1,
        /such\.txt/,
      ],
      [
        "more calibration than the text has",
        [
          "--calibration",
          fileURLToPath(new URL("../../CONTRIBUTING.md", import.meta.url)),
          "--window",
          "64",
          "--samples",
          "6400",
        ],
        2,
        /window/,
      ],
      [
        "a folder as calibration text",
        ["--calibration", model, "--method", "gptq"],
        1,
        /it is a directory, not a file\n {7}name a/,
      ],
      [
        "an output in a folder that is missing",
        ["--out", "/no/such/folder/out"],
        2,
        /no folder \/no\/such\/folder/,
      ],
      [
        "an output inside the input",
        ["--out", join(model, "out")],
        2,
        /must not contain each other/,
      ],
    ])("%s is refused", async (_, change, code, message) => {
      const out = join(folder, "out");
      const base = ["--method", "rtn", "--scheme", "w4g64", "--out", out, "--quiet"];
      const result = await fewbitHere(["quantize", model, ...base, ...change]);
      expect(result.stderr).toMatch(/^error {2}[^\n]+\n( {7}[^\n]+\n)?$/);
      expect(result.stderr).toMatch(message);
      expect({ code: result.code, stdout: result.stdout }).toEqual({ code, stdout: "" });
      expect(existsSync(out)).toBe(false);
    });

    test("an output that cannot be written is refused before any work", async () => {
      // /proc is the one folder that even root cannot write into.
      const args = ["--method", "rtn", "--scheme", "w4g64", "--out", "/proc/fewbit-out"];
      const { code, stderr } = await fewbitHere(["quantize", model, ...args, "--quiet"]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/^error {2}[^\n]*\/proc/);
    });

    test("a text shorter than one window is refused", async () => {
      const text = join(folder, "short.txt");
      writeFileSync(text, "Once upon a time");
      const { code, stderr } = await fewbitHere(["eval", model, "--text", text, "--quiet"]);
      expect(code).not.toBe(0);
      expect(stderr).toMatch(/^error {2}/);
    });

    test.each([
      [["--window", "257"], /context of 256\n {7}use --window 256 or less, or .*--beyond-context/],
      [["--window", "2", "--protocol", "second-half"], /no prediction in its second half/],
    ])("windows that cannot be measured are refused: %j", async (words, message) => {
      const text = fileURLToPath(new URL("../../CONTRIBUTING.md", import.meta.url));
      const on = ["--text", text, "--max-windows", "2", "--quiet"];
      for (const command of [
        ["eval", model],
        ["compare", model, model],
      ]) {
        const { code, stdout, stderr } = await fewbitHere([...command, ...on, ...words]);
        expect({ code, stdout }).toEqual({ code: 2, stdout: "" });
        expect(stderr).toMatch(message);
      }
    });

    test("a prompt and tokens beyond the context are refused with what is possible", async () => {
      const args = ["--prompt", "Once", "--max-tokens", "5000"];
      const { code, stderr } = await fewbitHere(["run", model, ...args]);
      expect(code).toBe(2);
      expect(stderr).toMatch(/context of 256 tokens\n {7}ask for at most \d+ tokens/);
    });
  },
);
