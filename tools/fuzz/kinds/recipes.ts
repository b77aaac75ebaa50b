import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseScheme, planQuantization, planSweep } from "../../../src/index.ts";
import type { QuantizeOptions } from "../../../src/index.ts";
import { parseTrainConfig } from "../../../src/train/pretrain-config.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";
import { builtinFolder, readBuiltin, Variant } from "./fixtures.ts";

const yamlWords: readonly string[] = [
  "- ",
  ": ",
  "{ ",
  " }",
  "[",
  "]",
  "&a ",
  "*a",
  "<<: *a",
  "&a [*a, *a]",
  "!!binary ",
  "!!js/function ",
  "---\n",
  "...\n",
  "|\n",
  ">\n",
  "? ",
  "#",
  "'",
  '"',
  "\t",
  "!!set ",
  "!!omap ",
  "!!float ",
  "0x",
  ".inf",
  ".nan",
  "~",
  "null",
  "__proto__: ",
  "constructor: ",
  "method: ",
  "scheme: ",
  "grid: ",
  "options: ",
]; // prettier-ignore

/** Recipes of sweeps, as YAML and as JSON. */
export const sweepRecipe: Kind = {
  id: "sweep-recipe",
  title: "recipes of sweeps, YAML and JSON",
  open: async (folder) => {
    const { path: model } = await writeTinyCheckpoint();
    const textFile = join(folder, "text.txt");
    writeFileSync(textFile, readBuiltin("text/held-out.txt").slice(0, 3000));
    const recipe = {
      name: "a sweep",
      models: [{ id: "tiny", path: model }],
      calibration: { files: [{ path: textFile, weight: 2 }], samples: 4, window: 16 },
      variants: [
        { method: ["rtn", "gptq"], scheme: ["w4g32", "w2g32"], seeds: [0, 1] },
        { method: "hqq", scheme: "w4g32-floatzero", grid: { iterations: [5, 10] } },
        { preset: "efficientqat", scheme: "w2g32", options: { epochs: 1 } },
        { method: "rtn", transforms: ["awq"], scheme: "w3g32", finishers: ["e2e-qp"] },
        { train: { steps: 2, data: { files: [textFile] } } },
      ],
      evaluation: {
        texts: [{ file: textFile, window: 16, maxWindows: 2, protocol: "windows" }],
        tasks: [join(builtinFolder, "tasks/who.jsonl")],
        samples: { prompts: ["ab"], tokens: 2 },
        speedTokens: 0,
      },
      exclude: [{ method: "gptq", scheme: "w4g32" }],
    };
    const yaml = readBuiltin("start.yaml")
      .replaceAll(/(?<=path: )model/g, model)
      .replaceAll(/text\/[\w-]+\.txt/g, textFile)
      .replaceAll(/(?<=- )(tasks)/g, (name) => join(builtinFolder, name))
      .replaceAll(/^ {2}- \{ checkpoint: .*\n/gm, "")
      .replaceAll(/g64/g, "g32")
      .replaceAll(/window: 256/g, "window: 16")
      .replaceAll(/samples: \d+/g, "samples: 4")
      .replace(/ {2}samples:\n[^]*$/, "  samples: { prompts: [ab], tokens: 2 }\n");
    return async (mutator) => {
      const isYaml = mutator.prng.below(2) === 0;
      const path = join(folder, isYaml ? "recipe.yaml" : "recipe.json");
      writeFileSync(path, isYaml ? mutator.text(yaml, yamlWords) : mutator.json(recipe));
      await planSweep(path, { out: join(folder, "out"), backend: "reference" });
    };
  },
};

/** What `fewbit train` reads. */
export const trainConfig: Kind = {
  id: "train-config",
  title: "configurations of trainings",
  open: async () => {
    const early = JSON.parse(
      readFileSync(join(builtinFolder, "train-early.json"), "utf8"),
    ) as object;
    const whole = {
      ...early,
      validation: { files: ["text.txt"], every: 5, windows: 3 },
      optimizer: { learningRate: 0.001, betas: [0.9, 0.95], clip: null, schedule: "linear" },
      precision: "f32",
      recompute: true,
      dtype: "f16",
    };
    return async (mutator) => {
      parseTrainConfig(mutator.value(whole));
    };
  },
};

/** Options of `quantize`, as programs give them. */
export const quantizeOptions: Kind = {
  id: "quantize-options",
  title: "options of quantize",
  open: async (folder) => {
    const { path: model } = await writeTinyCheckpoint();
    const file = join(folder, "text.txt");
    writeFileSync(file, readBuiltin("text/held-out.txt"));
    const options = {
      method: "gptq",
      scheme: "w4g32",
      options: { damping: 0.01, activationOrder: true },
      layers: [{ pattern: "*.down_proj", scheme: "w8" }],
      transforms: ["awq", { method: "smoothquant", options: { alpha: 0.5 } }],
      finishers: [{ method: "e2e-qp", options: { steps: 3 }, data: file }],
      calibration: { files: [{ path: file, weight: 1 }], samples: 4, window: 16, order: "random" },
      embedding: "w8",
      head: null,
      seed: 3,
    };
    return async (mutator) => {
      const value = mutator.value(options);
      if (typeof value !== "object" || value === null || Array.isArray(value)) return;
      const given = { ...value, out: "out", backend: "reference" } as unknown as QuantizeOptions;
      await planQuantization(model, given);
    };
  },
};

const schemes = [
  "w4g128",
  "w2g64-floatzero",
  "w1.58-seq",
  "w8a8-static",
  "w3g128-sym",
  "w1-onebit",
];

/** Ids of schemes. */
export const scheme: Kind = {
  id: "scheme",
  title: "ids of schemes",
  open: async () => async (mutator) => {
    const words = ["w", "g", "a", "-", ".", "0", "9", "sym", "seq", "fixed", "e", " "];
    parseScheme(mutator.text(mutator.pick(schemes), words));
  },
};

/** The record of a checkpoint that a recipe names. */
export const runRecord: Kind = {
  id: "run-record",
  title: "run.json of a checkpoint that a sweep measures",
  open: async (folder) => {
    const model = join(builtinFolder, "model");
    const originals = ["w1-elastic", "w1.58-seq"].map((name) => {
      const original = join(builtinFolder, "checkpoints", name);
      const record: unknown = JSON.parse(readFileSync(join(original, "run.json"), "utf8"));
      return { record, variant: new Variant(join(folder, name), original, ["run.json"]) };
    });
    const tasks = [join(builtinFolder, "tasks/who.jsonl")];
    return async (mutator) => {
      const { record, variant } = mutator.pick(originals);
      variant.write("run.json", mutator.json(record));
      const recipe = {
        name: "given",
        models: [{ id: "own", path: model }],
        variants: [{ checkpoint: variant.path }],
        evaluation: { tasks, limit: 1, speedTokens: 0 },
      };
      await planSweep(recipe, { out: join(folder, "out"), backend: "reference" });
    };
  },
};
