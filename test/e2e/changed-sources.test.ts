import {
  appendFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  readFileSync,
  renameSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, test } from "vitest";
import { fewbitHere } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Models and texts that are changed while a run reads them: no mixture comes out. */

const inFolder = temporaryFolder();
const builtin = (path: string): string =>
  fileURLToPath(new URL(`../../builtin/${path}`, import.meta.url));

interface Place {
  readonly model: string;
  readonly text: string;
  readonly out: string;
}

/** A model and a text of one's own. */
function placeOf(name: string): Place {
  const folder = inFolder(name);
  mkdirSync(folder);
  cpSync(builtin("model"), join(folder, "model"), { recursive: true });
  const text = join(folder, "text.txt");
  writeFileSync(text, readFileSync(builtin("text/calibration.txt"), "utf8").slice(0, 20_000));
  return { model: join(folder, "model"), text, out: join(folder, "out") };
}

const samples = ["--samples", "2", "--window", "32"];

/** Writes other bytes of the same number into a file. */
function overwrite(path: string): void {
  const bytes = readFileSync(path);
  bytes[bytes.length - 3] ^= 1;
  writeFileSync(path, bytes);
}

const changes: [what: string, file: (place: Place) => string, change: (path: string) => void][] = [
  ["weights are written over", ({ model }) => join(model, "model.safetensors"), overwrite],
  [
    "weights are replaced",
    ({ model }) => join(model, "model.safetensors"),
    (path) => {
      cpSync(path, `${path}.new`);
      renameSync(`${path}.new`, path);
    },
  ],
  [
    "weights are touched",
    ({ model }) => join(model, "model.safetensors"),
    (path) => utimesSync(path, 1, 1),
  ],
  ["the configuration is", ({ model }) => join(model, "config.json"), overwrite],
  [
    "the tokenizer is",
    ({ model }) => join(model, "tokenizer.json"),
    (path) => appendFileSync(path, " "),
  ],
];

describe("a quantization", () => {
  test.each(changes)("fails by name when %s meanwhile", async (what, fileOf, change) => {
    const place = placeOf(what.replaceAll(" ", "-"));
    const { model, text, out } = place;
    const gptq = ["--method", "gptq", "--scheme", "w4g32", "--calibration", text, ...samples];
    const args = ["quantize", model, "--out", out, ...gptq, "--quiet"];
    // A block is being written: something was read already, something was not.
    const held = await holdAt(args, /^write model\.safetensors/);
    change(fileOf(place));
    held.release();
    const { code, stderr } = await held.finished;
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toContain(`${fileOf(place)} was changed while it was in use`);
    expect(existsSync(out)).toBe(false);
  });

  test("fails when its text is changed after it was hashed, and not when it was read", async () => {
    const { model, text, out } = placeOf("text");
    const gptq = ["--method", "gptq", "--scheme", "w4g32", "--calibration", text, ...samples];
    const args = ["quantize", model, "--out", out, ...gptq, "--quiet"];
    const early = await holdAt(args, /^mkdir \.out\.unfinished/);
    appendFileSync(text, "And then.");
    early.release();
    const { code, stderr } = await early.finished;
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toContain("text.txt was changed while it was in use");
    const late = await holdAt(args, /^write model\.safetensors/);
    appendFileSync(text, "And then.");
    late.release();
    expect(await late.finished).toMatchObject({ code: 0 });
  });
});

describe("what else reads a model", () => {
  let packed = "";
  beforeAll(async () => {
    packed = inFolder("packed");
    const rtn = ["--method", "rtn", "--scheme", "w4g32", "--out", packed, "--quiet"];
    expect((await fewbitHere(["quantize", builtin("model"), ...rtn])).code).toBe(0);
  });

  test("an export fails by name", async () => {
    const source = inFolder("export-source");
    cpSync(packed, source, { recursive: true });
    const args = ["export", source, "--format", "hf", "--out", inFolder("exported")];
    const held = await holdAt(args, /^write model\.safetensors/);
    overwrite(join(source, "model.safetensors"));
    held.release();
    const { code, stderr } = await held.finished;
    expect({ code, stderr }).toMatchObject({ code: 1 });
    expect(stderr).toContain("model.safetensors was changed while it was in use");
    expect(existsSync(inFolder("exported"))).toBe(false);
  });
});
