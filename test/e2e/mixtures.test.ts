import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import type { Backend } from "../../src/backend/backend.ts";
import type { Storage } from "../../src/backend/kernels.ts";
import { planQuantization, type QuantizeOptions, type RunRecord } from "../../src/index.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { runRecipe } from "../../src/quantize/quantize.ts";
import { toRecipe } from "../../src/recipe/quantize-options.ts";
import type { TypedArray } from "../../src/tensor/dtype.ts";
import {
  type TinyCheckpoint,
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../golden/tiny-checkpoint.ts";
import { fewbitHere } from "./cli-process.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Mixtures of experts, quantized: which tokens come to whom, and what is in memory at a time. */

const inFolder = temporaryFolder();
const checkpoints: TinyCheckpoint[] = [];
afterAll(() => Promise.all(checkpoints.map(({ remove }) => remove())));

async function write(options: TinyCheckpointOptions): Promise<string> {
  const checkpoint = await writeTinyCheckpoint(options);
  checkpoints.push(checkpoint);
  return checkpoint.path;
}

let text = "";
beforeAll(() => {
  text = inFolder("text.txt");
  const calibration = new URL("../../builtin/text/calibration.txt", import.meta.url);
  writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 2000));
});

let runs = 0;
function run(
  model: string,
  options: object,
  backend: Backend = createReferenceBackend(),
): Promise<RunRecord> {
  const asked: object = { out: inFolder(`run-${runs++}`), ...options };
  return runRecipe(toRecipe(model, asked as QuantizeOptions), { backend, emit: () => {} });
}

/** Tokens of each slot by its name below the block, of one block. */
function tokensOf({ linears }: RunRecord, block: number): Record<string, number | undefined> {
  const own = linears.filter((linear) => linear.block === block);
  return Object.fromEntries(own.map(({ slot, tokens }) => [slot, tokens]));
}

/** Layers of the experts of blocks that are all mixtures, with what each should have. */
function forExperts<T>(experts: number, of: (expert: number, layer: string) => T) {
  const layers = ["gate_proj", "up_proj", "down_proj"];
  return Object.fromEntries(
    Array.from({ length: experts }, (_, expert) =>
      layers.map((layer) => [`mlp.experts.${expert}.${layer}`, of(expert, layer)] as const),
    ).flat(),
  );
}

/** Layers of 32 and, behind the gates, of 44 columns; a token goes to 2 of 4 experts. */
const model = "olmoe";
const tokens = 40;
const gptq = { method: "gptq", scheme: "w4g16", samples: 5, window: 8 };
const routerless = (name: string, values: Float32Array): void => {
  if (name.endsWith("mlp.gate.weight")) values.fill(0);
};

describe("calibration tokens are counted by expert", () => {
  test("each goes to as many experts as config.json says, and to all layers of each", async () => {
    const record = await run(await write({ modelCase: model }), { ...gptq, calibration: text });
    for (const block of [0, 1]) {
      const found = tokensOf(record, block);
      const counts = [0, 1, 2, 3].map((expert) => found[`mlp.experts.${expert}.down_proj`] ?? 0);
      expect(counts.reduce((sum, count) => sum + count)).toBe(2 * tokens);
      expect(new Set(counts).size).toBeGreaterThan(1);
      const expected = forExperts(4, (expert) => counts[expert]);
      expect(found).toMatchObject(expected);
      expect(found["self_attn.q_proj"]).toBeUndefined();
    }
  });

  test("without calibration text there is no count", async () => {
    const record = await run(await write({ modelCase: model }), { method: "rtn", scheme: "w4" });
    expect(record.linears.every((linear) => linear.tokens === undefined)).toBe(true);
    expect(record.fallbacks).toEqual([]);
  });
});

describe("a router without an opinion sends all tokens to the first experts", () => {
  let path = "";
  beforeAll(async () => {
    path = await write({ modelCase: model, edit: routerless });
  });

  test("GPTQ falls back where fewer came than a layer has columns, and the record says so", async () => {
    const { linears, fallbacks } = await run(path, { ...gptq, calibration: text });
    const why = (expert: number, layer: string): string | undefined => {
      const came = expert < 2 ? tokens : 0;
      const columns = layer === "down_proj" ? 44 : 32;
      if (came >= columns) return undefined;
      return `${came} tokens came for ${columns} columns: rounded to nearest`;
    };
    for (const block of [0, 1]) {
      const own = linears.filter((each) => each.block === block && each.tokens !== undefined);
      const found = Object.fromEntries(own.map(({ slot, fallback }) => [slot, fallback]));
      expect(found).toEqual(forExperts(4, why));
    }
    const fallen = linears.filter(({ fallback }) => fallback !== undefined);
    expect(fallbacks).toEqual(fallen.map(({ module }) => module));
    expect(fallbacks).toHaveLength(2 * 8);
  });

  test("what fell back is what the search for clipping ranges gives, and nothing else is", async () => {
    const out = inFolder("fallen");
    const nearest = inFolder("nearest");
    const { fallbacks, linears } = await run(path, { ...gptq, calibration: text, out });
    await run(path, { method: "rtn", scheme: gptq.scheme, options: { mse: true }, out: nearest });
    const [codes, rounded] = [codesIn(out), codesIn(nearest)];
    for (const { module, tokens: came } of linears) {
      if (came === undefined) continue;
      const isSame = codes(module).equals(rounded(module));
      expect(isSame, module).toBe(fallbacks.includes(module));
    }
  });

  test("the command prints both", async () => {
    const { samples, window, method, scheme } = gptq;
    const sizes = ["--samples", `${samples}`, "--window", `${window}`, "--calibration", text];
    const how = ["--method", method, "--scheme", scheme, "--out", inFolder("printed")];
    const { code, stdout } = await fewbitHere(["quantize", path, ...how, ...sizes]);
    expect(code).toBe(0);
    const lines = stdout.split("\n");
    expect(lines.slice(lines.indexOf("  calibration tokens by expert:"), -1)).toEqual([
      "  calibration tokens by expert:",
      "           fewest  median  most  without  each",
      "  block 0       0       0    40        2  40 40 0 0",
      "  block 1       0       0    40        2  40 40 0 0",
      "",
      "  16 layers fell back to a simpler way:",
      "  blocks.0.mlp.experts.0.down_proj  40 tokens came for 44 columns: rounded to nearest",
      "  blocks.0.mlp.experts.1.down_proj  40 tokens came for 44 columns: rounded to nearest",
      "  blocks.0.mlp.experts.2.gate_proj  0 tokens came for 32 columns: rounded to nearest",
      "  blocks.0.mlp.experts.2.up_proj    0 tokens came for 32 columns: rounded to nearest",
      "  blocks.0.mlp.experts.2.down_proj  0 tokens came for 44 columns: rounded to nearest",
      "  blocks.0.mlp.experts.3.gate_proj  0 tokens came for 32 columns: rounded to nearest",
      "  blocks.0.mlp.experts.3.up_proj    0 tokens came for 32 columns: rounded to nearest",
      "  blocks.0.mlp.experts.3.down_proj  0 tokens came for 44 columns: rounded to nearest",
      "  and 8 more, listed in run.json",
    ]);
  });
});

/** Reads the codes of modules of a quantized checkpoint in one file. */
function codesIn(folder: string): (module: string) => Buffer {
  const file = readFileSync(join(folder, "model.safetensors"));
  const start = 8 + Number(file.readBigUInt64LE(0));
  const header = JSON.parse(file.toString("utf8", 8, start));
  return (module) => {
    const [begin, end] = header[`${module}.codes`].data_offsets;
    return file.subarray(start + begin, start + end);
  };
}

/** A backend that knows the most bytes of arrays, of at least so many bytes, alive at once. */
function countingBackend(least: number): { backend: Backend; most: () => number } {
  const backend = createReferenceBackend();
  const alive = new Map<Storage, number>();
  let [now, most] = [0, 0];
  const count = (storage: Storage): Storage => {
    const { byteLength } = storage as TypedArray;
    if (byteLength < least || alive.has(storage)) return storage;
    alive.set(storage, byteLength);
    now += byteLength;
    most = Math.max(most, now);
    return storage;
  };
  return {
    most: () => most,
    backend: {
      ...backend,
      allocate: (dtype, length) => count(backend.allocate(dtype, length)),
      adopt: (dtype, array) => count(backend.adopt(dtype, array)),
      release(storage) {
        now -= alive.get(storage) ?? 0;
        alive.delete(storage);
        backend.release(storage);
      },
    },
  };
}

describe("the memory of a mixture", () => {
  const [hidden, width] = [64, 96];
  const matrix = 4 * hidden * width;

  /** Writes a model of one block of so many experts. */
  function writeBlock(experts: number): Promise<string> {
    const sizes = { hidden_size: hidden, intermediate_size: width, num_hidden_layers: 1 };
    const config = { ...sizes, num_experts: experts };
    return write({ modelCase: model, config, fitting: true });
  }

  /** Most bytes of large arrays alive at once while a block of so many experts is quantized. */
  async function mostAlive(experts: number, options: object): Promise<number> {
    const { backend, most } = countingBackend(matrix);
    await run(await writeBlock(experts), options, backend);
    return most();
  }

  test.each([
    ["rtn", { scheme: "w4" }],
    ["hqq", { scheme: "w4g32-floatzero" }],
    ["gptq", { ...gptq, samples: 4, window: 16 }],
  ])("with %s grows by less than two experts from 2 experts to 12", async (method, options) => {
    const text16 = method === "gptq" && { calibration: text };
    const asked = { method, ...options, ...text16 };
    const [few, many] = [await mostAlive(2, asked), await mostAlive(12, asked)];
    expect(few).toBeGreaterThan(3 * matrix);
    expect(many - few).toBeLessThan(2 * 3 * matrix);
  });

  test("holds all experts where a transform asks for the whole block", async () => {
    const awq = { method: "rtn", scheme: "w4", transforms: ["smoothquant"], calibration: text };
    const asked = { ...awq, samples: 2, window: 16 };
    expect(await mostAlive(12, asked)).toBeGreaterThan(12 * 3 * matrix);
  });

  test.each([
    ["one expert", {}, 0],
    ["all experts with a transform", { transforms: ["smoothquant"] }, 10],
  ])("that a plan names is that of %s", async (_, options, more) => {
    const planned = async (experts: number): Promise<number> => {
      const own = { out: inFolder("planned"), ...options, ...(more > 0 && { calibration: text }) };
      const asked: object = { method: "rtn", scheme: "w4", ...own };
      const plan = await planQuantization(await writeBlock(experts), asked as QuantizeOptions);
      return plan.estimate.memoryBytes;
    };
    const grown = (await planned(12)) - (await planned(2));
    expect(grown / (3 * matrix)).toBeCloseTo(more, 0);
  });
});
