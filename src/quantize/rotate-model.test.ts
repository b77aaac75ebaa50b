import { afterAll, describe, expect, test } from "vitest";
import { modelCaseNames, readModelCase, windowLogits } from "../../test/golden/model-cases.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { CheckpointWeights } from "../formats/checkpoint-weights.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import spinquant from "../methods/transforms/spinquant.ts";
import { keepsOnes } from "../models/decoder-rotation.ts";
import { findLanguage } from "../models/index.ts";
import type { DecoderBlock } from "../models/decoder-weights.ts";
import { floatLinear } from "../nn/scale-channels.ts";
import { parseScheme } from "../quant/scheme.ts";
import { TrainableModel } from "../nn/trainable-model.ts";
import { type OpenedModel, openModel } from "../runtime/load.ts";
import { MemoryStore } from "../training/training-store.ts";
import { NumericError, UnsupportedError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { rotateModel } from "./rotate-model.ts";

const backend = createReferenceBackend();
const made: TinyCheckpoint[] = [];
afterAll(() => Promise.all(made.map(({ remove }) => remove())));

type Options = Parameters<typeof writeTinyCheckpoint>[0];

async function openCase(options: Options): Promise<OpenedModel> {
  const checkpoint = await writeTinyCheckpoint({ dtype: "float32", ...options });
  made.push(checkpoint);
  return openModel(checkpoint.path, { backend, precision: "float32" });
}

const drawn = { matrix: "hadamard", values: true };
const recipe = (options: Record<string, unknown> = {}, seed = 0) => ({
  seed,
  transforms: [
    { method: "quarot" as const, options: { matrix: "hadamard", values: true, ...options } },
  ],
});

async function blocksOf({ model }: OpenedModel): Promise<DecoderBlock[]> {
  const blocks: DecoderBlock[] = [];
  for (let i = 0; i < model.blockCount; i++) blocks.push(await model.loadBlock(i));
  return blocks;
}

async function logitsOf(opened: OpenedModel, ids: readonly (readonly number[])[]) {
  const blocks = await blocksOf(opened);
  return { blocks, logits: await windowLogits({ model: opened.model, blocks }, ids).read() };
}

const largest = (values: Float32Array): number =>
  values.reduce((most, value) => Math.max(most, Math.abs(value)), 0);

/** Families whose stream cannot be rotated, by what the refusal says. */
const refused: Readonly<Record<string, RegExp>> = {
  gemma2: /post_attention_layernorm act on the residual stream/,
  gemma3_text: /post_attention_layernorm act on the residual stream/,
  olmo2: /post_attention_layernorm act on the residual stream/,
};
const typeOf = (name: string): string =>
  findLanguage(readModelCase(name).config).architecture.modelType;
const isComposite = (name: string): boolean =>
  findLanguage(readModelCase(name).config).composite !== null;
const isBehind = (name: string): boolean =>
  readModelCase(name).config.do_layer_norm_before === false;
const isRefused = (name: string): boolean =>
  isComposite(name) || isBehind(name) || typeOf(name) in refused;

describe("a rotated model has the logits of the original", () => {
  test.each(modelCaseNames.filter((name) => !isRefused(name)))("%s", async (modelCase) => {
    const original = await openCase({ modelCase });
    const { ids } = readModelCase(modelCase);
    const before = await logitsOf(original, ids);
    for (const matrix of ["hadamard", "orthogonal"]) {
      const { opened } = await rotateModel(original, recipe({ matrix }), backend);
      const after = await logitsOf(opened, ids);
      const worst = largest(after.logits.map((value, i) => value - before.logits[i]));
      expect(worst).toBeLessThan(1e-4 * largest(before.logits));
      for (const [i, { name }] of after.blocks[0].slots.entries()) {
        const [found, plain] = [after, before].map(({ blocks: [block] }) =>
          floatLinear(block, name),
        );
        expect(await found.weight.read(), `${i}: ${name}`).not.toEqual(await plain.weight.read());
      }
    }
    await original.checkpoint.close();
  });
});

/** Learns the rotation of an opened model in a step, at 3 bits; says whether it is another one. */
async function learn({ rotation, model, config, checkpoint }: OpenedModel): Promise<boolean> {
  const start = rotation?.current;
  if (!start || !spinquant.learnRotation) throw new Error("there is nothing to be learned");
  const modules = new Set(model.linears().map(({ module }) => module));
  rotation.current = null;
  const { vocabularySize, hiddenSize, headDim } = config;
  const random = new Prng(1);
  const window = (): Int32Array =>
    Int32Array.from({ length: 8 }, () => random.below(vocabularySize));
  const { rotation: learned, progress } = await spinquant.learnRotation({
    hiddenSize,
    headDim,
    keepsOnes: keepsOnes(config),
    seed: 0,
    options: spinquant.options.parse({ steps: 1, batch: 2, heldOut: 0 }),
    start,
    tensors: rotation.tensors,
    backend,
    blocks: model.blockCount,
    load: () => TrainableModel.load(model, new CheckpointWeights(backend, checkpoint, "float32")),
    schemeOf: (module) => (modules.has(module) ? parseScheme("w3") : null),
    windows: [window(), window()],
    store: new MemoryStore(),
    onStep: () => undefined,
    report: () => undefined,
  });
  expect(progress.step).toBe(1);
  const [before, after] = [start, learned].map(({ stream }) => {
    const row = Float32Array.from({ length: hiddenSize }, (_, i) => +(i === 0));
    return { row, turned: stream.turnRows(row) };
  });
  await after.turned;
  const moved = progress.kept?.step === 1;
  if (moved) expect(after.row).not.toEqual(before.row);
  rotation.current = learned;
  await model.loadEmbeddingAndHead();
  return moved;
}

describe("a learned rotation leaves the logits of the original", () => {
  let moved = 0;
  test.each(modelCaseNames.filter((name) => !isRefused(name)))("%s", async (modelCase) => {
    const original = await openCase({ modelCase });
    const { ids } = readModelCase(modelCase);
    const before = await logitsOf(original, ids);
    const asked = { seed: 0, transforms: [{ method: "spinquant" as const, options: drawn }] };
    const { opened } = await rotateModel(original, asked, backend);
    if (await learn(opened)) moved++;
    const after = await logitsOf(opened, ids);
    const worst = largest(after.logits.map((value, i) => value - before.logits[i]));
    expect(worst).toBeLessThan(1e-4 * largest(before.logits));
    await original.checkpoint.close();
  });

  test("and most are other ones than they began with", () => expect(moved).toBeGreaterThan(30));
});

describe("a family that cannot be rotated is refused by name", () => {
  test.each(modelCaseNames.filter(isRefused))("%s", async (modelCase) => {
    const original = await openCase({ modelCase });
    const run = rotateModel(original, recipe(), backend);
    await expect(run).rejects.toThrow(UnsupportedError);
    const message = isComposite(modelCase)
      ? /images/
      : isBehind(modelCase)
        ? /self_attn_layer_norm and|self_attn_layer_norm act on/
        : refused[typeOf(modelCase)];
    await expect(run).rejects.toThrow(message);
    await original.checkpoint.close();
  });
});

/** A small OPT, whose norms have biases, with a value of one norm changed. */
function withNorm(name: string, index: number, value: number) {
  return openCase({
    modelCase: "opt",
    edit: (tensor, values) => {
      if (tensor === name) values[index] = value;
    },
  });
}

test("a norm that has a bias and no weight in a channel is refused by its name", async () => {
  const name = "model.decoder.final_layer_norm.weight";
  const original = await withNorm(name, 3, 0);
  const run = rotateModel(original, recipe(), backend);
  await expect(run).rejects.toThrow(NumericError);
  await expect(run).rejects.toThrow(`${name} is 0 in channel 3`);
  await original.checkpoint.close();
});

test("without a rotation among the transforms the model stays as it is", async () => {
  const original = await openCase({ modelCase: "llama" });
  const { opened, notices } = await rotateModel(original, { seed: 0, transforms: [] }, backend);
  expect(opened).toBe(original);
  expect(notices).toEqual([]);
  await original.checkpoint.close();
});

describe("what is stored of a tied model", () => {
  test("the head is a table of its own, of the size of the embedding, and it says so", async () => {
    const original = await openCase({ modelCase: "llama-tied-multi-head", dtype: "float16" });
    const { opened, notices } = await rotateModel(original, recipe(), backend);
    const { checkpoint, config, sizes } = opened;
    const [embedding, head] = ["model.embed_tokens.weight", "lm_head.weight"].map((name) =>
      checkpoint.info(name),
    );
    expect(head.shape).toEqual(embedding.shape);
    expect([embedding.dtype, head.dtype]).toEqual(["f16", "f16"]);
    expect(config.tiedEmbeddings).toBe(false);
    expect(checkpoint.config.tie_word_embeddings).toBe(false);
    expect(sizes.file.bytes - original.sizes.file.bytes).toBe(head.end - head.begin);
    const [count] = [embedding.shape.reduce((product, n) => product * n, 1)];
    expect(sizes.parameters - original.sizes.parameters).toBe(count);
    expect(notices).toEqual([expect.stringContaining("a table of its own")]);
    await original.checkpoint.close();
  });

  test("bytes are the same whatever pieces they are read in", async () => {
    const original = await openCase({ modelCase: "llama-tied-multi-head", dtype: "bfloat16" });
    const { opened } = await rotateModel(original, recipe(), backend);
    for (const name of ["lm_head.weight", "model.layers.0.self_attn.o_proj.weight"]) {
      const { end } = opened.checkpoint.info(name);
      const whole = new Uint8Array(end);
      await opened.checkpoint.readInto(name, whole, 0);
      for (const size of [6, 50, 1000]) {
        const pieces = new Uint8Array(end);
        for (let at = 0; at < end; at += size) {
          await opened.checkpoint.readInto(name, pieces.subarray(at, at + size), at);
        }
        expect(pieces, `${name} ${size}`).toEqual(whole);
      }
    }
    await original.checkpoint.close();
  });
});

test("weights follow from the seed", async () => {
  const original = await openCase({ modelCase: "llama" });
  const weights: Float32Array[] = [];
  for (const seed of [1, 1, 2]) {
    const { opened } = await rotateModel(original, recipe({}, seed), backend);
    const [block] = await blocksOf(opened);
    weights.push(await floatLinear(block, "mlp.down_proj").weight.read());
  }
  expect(weights[1]).toEqual(weights[0]);
  expect(weights[2]).not.toEqual(weights[0]);
  await original.checkpoint.close();
});
