/**
 * Prints a table of every family of models: how far logits are from where they should be.
 *
 *   npm run families                        a Markdown table
 *   npm run families -- --write             the table in docs/models.md anew
 *   npm run families -- --only gemma        families whose model type begins so
 *
 * Models are the tiny ones of test/golden/models. The first column holds logits of all of them
 * against those of transformers. A method quantizes the first model of the family, writes it, and
 * the packed checkpoint, run by the native kernels, is compared with its decoded weights as a plain
 * checkpoint, run by the reference kernels (OneBit, which no plain checkpoint holds: with the same
 * checkpoint there). GGUF files are run by llama.cpp, of as many models as stand behind: those that
 * it computes, where it takes no windows those without, some of them with fields that it can hold.
 */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { exportCheckpoint, load, quantize, type QuantizeOptions } from "../src/index.ts";
import type { FamilyName } from "../src/models/architecture.ts";
import { architectures, findArchitecture } from "../src/models/index.ts";
import { UnsupportedError } from "../src/util/errors.ts";
import { hasComputedWindows, writableChanges } from "../test/fixtures/gguf-changes.ts";
import { spellWithSpaces } from "../test/fixtures/spell-with-spaces.ts";
import { modelCaseNames, readModelCase } from "../test/golden/model-cases.ts";
import { writeTinyCheckpoint } from "../test/golden/tiny-checkpoint.ts";
import { findLlamaAddon } from "../test/llama-cpp/llama-addon.ts";
import { LlamaCpp } from "../test/llama-cpp/llama-cpp.ts";

const { values } = parseArgs({
  options: { write: { type: "boolean", default: false }, only: { type: "string", default: "" } },
});
const page = new URL("../docs/models.md", import.meta.url);
const folder = mkdtempSync(join(tmpdir(), "fewbit-families-"));
const text = join(folder, "text.txt");
const calibration = new URL("../builtin/text/calibration.txt", import.meta.url);
writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 400));

const text24 = { calibration: text, samples: 4, window: 24 };
const oneStep = { steps: 1, batch: 1 };
const methods: Readonly<Record<string, Record<string, unknown>>> = {
  GPTQ: { method: "gptq", scheme: "w4g16" },
  AWQ: { transforms: ["awq"], method: "rtn", scheme: "w4g16" },
  "EfficientQAT, a step": {
    method: "block-ap",
    options: { epochs: 1 },
    scheme: "w2g16",
    finishers: [{ method: "e2e-qp", options: oneStep }],
  },
  "OneBit, a step": {
    method: "svid",
    scheme: "w1-onebit",
    finishers: [{ method: "onebit-kd", options: oneStep }],
  },
};

let runs = 0;
const newOutput = (): string => join(folder, `run-${runs++}`);

/** Logits of all places of a text, by a checkpoint on the disk. */
async function logitsOf(
  path: string,
  ids: readonly number[],
  backend: "native" | "reference",
): Promise<Float32Array> {
  const model = await load(path, { backend });
  const hidden = model.hiddenStates(model.tokens([ids]));
  const logits = await model.logits(hidden.reshape([ids.length, model.config.hiddenSize])).read();
  model.release();
  return logits;
}

function distance(a: Float32Array, b: Float32Array): number {
  return a.reduce((most, x, i) => Math.max(most, Math.abs(x - b[i])), 0);
}

/** The most, over all models of a family, that logits are from those of transformers. */
async function againstTransformers(names: readonly string[]): Promise<number> {
  let most = 0;
  for (const name of names) {
    const { ids, logits, positions } = readModelCase(name);
    const checkpoint = await writeTinyCheckpoint({ modelCase: name });
    for (const [row, text] of ids.entries()) {
      const found = await logitsOf(checkpoint.path, text, "native");
      const width = found.length / text.length;
      for (const [i, position] of positions.entries()) {
        const expected = Float32Array.from(logits[row][i]);
        const own = found.subarray(position * width, (position + 1) * width);
        most = Math.max(most, distance(own, expected));
      }
    }
    await checkpoint.remove();
  }
  return most;
}

async function byMethod(
  model: string,
  ids: readonly number[],
  recipe: Record<string, unknown>,
): Promise<number> {
  const out = newOutput();
  const options: object = { ...text24, ...recipe, out, threads: 1 };
  await quantize(model, options as QuantizeOptions);
  const packed = await logitsOf(out, ids, "native");
  if (recipe["scheme"] === "w1-onebit")
    return distance(packed, await logitsOf(out, ids, "reference"));
  const decoded = newOutput();
  await exportCheckpoint(out, { format: "hf", dtype: "f32", out: decoded });
  return distance(packed, await logitsOf(decoded, ids, "reference"));
}

/** The most that logits of GGUF files in llama.cpp are from those of their models. */
async function inLlama(names: readonly string[]): Promise<string> {
  if (findArchitecture(readModelCase(names[0]).config).gguf === null) return "refused";
  if (!findLlamaAddon()) return "not installed";
  const found: number[] = [];
  for (const name of names.filter(hasComputedWindows)) {
    const { [name]: config = {} } = writableChanges;
    const checkpoint = await writeTinyCheckpoint({ modelCase: name, config, fitting: true });
    spellWithSpaces(checkpoint.path);
    const out = `${newOutput()}.gguf`;
    try {
      await exportCheckpoint(checkpoint.path, { format: "gguf", type: "f32", out });
    } catch (error) {
      if (error instanceof UnsupportedError) continue;
      throw error;
    }
    await using llama = await LlamaCpp.open(out, { exactAttention: true });
    const [ids] = readModelCase(name).ids;
    const rows = await llama.logits(ids);
    const all = Float32Array.from(rows.flatMap((row) => [...row]));
    found.push(distance(all, await logitsOf(checkpoint.path, ids, "native")));
    await checkpoint.remove();
  }
  return found.length === 0 ? "—" : `${format(Math.max(...found))} (${found.length})`;
}

async function rowOf({ modelType, title }: FamilyName): Promise<string> {
  const names = modelCaseNames.filter(
    (name) => readModelCase(name).config["model_type"] === modelType,
  );
  const [ids] = readModelCase(names[0]).ids;
  const checkpoint = await writeTinyCheckpoint({ modelCase: names[0] });
  const cells = [await againstTransformers(names)];
  for (const recipe of Object.values(methods)) {
    cells.push(await byMethod(checkpoint.path, ids, recipe));
  }
  await checkpoint.remove();
  const last = await inLlama(names);
  const all = [`${title} (\`${modelType}\`)`, names.length, ...cells.map(format), last];
  return `| ${all.join(" | ")} |`;
}

const format = (x: number): string => x.toExponential(1);

try {
  const header = ["family", "models", "transformers", ...Object.keys(methods), "GGUF, llama.cpp"];
  const lines = [`| ${header.join(" | ")} |`, `|${"---|".repeat(header.length)}`];
  for (const family of architectures) {
    if (family.modelType.startsWith(values.only)) lines.push(await rowOf(family));
  }
  const table = `${lines.join("\n")}\n`;
  process.stdout.write(table);
  if (values.write) {
    const [before] = readFileSync(page, "utf8").split(/^\| family/m);
    writeFileSync(page, before + table);
  }
} finally {
  rmSync(folder, { recursive: true });
}
