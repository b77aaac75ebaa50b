import { readdirSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { beforeAll, describe, expect, test } from "vitest";
import { load } from "../../src/index.ts";
import { Prng } from "../../src/util/prng.ts";
import { fewbitHere } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";
import { besides, changesOf, filesOf, find, killAt, outputsIn, recordOf } from "./killed-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Trainings through the command line. */

const inFolder = temporaryFolder();
const outputIn = outputsIn(inFolder);

const config = {
  model: {
    hidden_size: 16,
    intermediate_size: 24,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    max_position_embeddings: 32,
    vocab_size: 280,
  },
  data: { window: 16, batch: 2 },
  optimizer: { learningRate: 0.01, accumulation: 2 },
  validation: { every: 4, windows: 8 },
  steps: 10,
  checkpointEvery: 3,
  seed: 5,
};

/** Sentences of a few words, so that there is something to learn. */
function text(seed: number): string {
  const prng = new Prng(seed);
  const pick = (words: string) => words.split(" ")[prng.below(words.split(" ").length)];
  const sentence = () =>
    `The ${pick("cat dog bird fish")} ${pick("sees likes hears")} a ${pick("tree house ball")}.`;
  const document = () => Array.from({ length: 3 + prng.below(4) }, sentence).join(" ");
  return Array.from({ length: 30 }, document).join("\n<|doc|>\n");
}

const words = (out: string, ...more: string[]): string[] => [
  "train",
  inFolder("config.json"),
  "--text",
  inFolder("train.txt"),
  "--validation",
  inFolder("valid.txt"),
  "--threads",
  "1",
  "--out",
  out,
  ...more,
];

let whole = "";
let changes: string[] = [];

beforeAll(async () => {
  writeFileSync(inFolder("config.json"), JSON.stringify(config));
  writeFileSync(inFolder("train.txt"), text(1));
  writeFileSync(inFolder("valid.txt"), text(2));
  whole = outputIn("whole");
  changes = await changesOf(words(whole), inFolder("changes"));
});

describe("a training from nothing", () => {
  test("leaves a checkpoint that loads, its record and its losses as a chart", async () => {
    const names = ["config.json", "generation_config.json", "loss.svg", "model.safetensors"];
    expect(readdirSync(whole).sort()).toEqual(
      [...names, "run.json", "tokenizer.json", "tokenizer_config.json"].sort(),
    );
    const model = await load(whole, { backend: "reference" });
    expect(model.tokenizer.startIds).toEqual([0]);
    expect(model.config).toMatchObject({ vocabularySize: 280, tiedEmbeddings: true, kvHeads: 2 });
    model.release();
    const { losses, validations, steps, texts } = recordOf(whole);
    expect(losses).toHaveLength(steps);
    expect(losses.at(-1).loss).toBeLessThan(losses[0].loss - 0.5);
    expect(validations.map(({ step }: { step: number }) => step)).toEqual([0, 4, 8, 10]);
    expect(texts.train[0].sha256).toMatch(/^[0-9a-f]{64}$/);
  });

  test("the same seed gives the same bytes, another seed others", async () => {
    const [again, other] = [outputIn("again"), outputIn("other")];
    expect(await fewbitHere(words(again))).toMatchObject({ code: 0 });
    expect(filesOf(again)).toEqual(filesOf(whole));
    expect(await fewbitHere(words(other, "--seed", "6"))).toMatchObject({ code: 0 });
    const hash = "model.safetensors";
    expect(filesOf(other)[hash]).not.toEqual(filesOf(whole)[hash]);
    expect(filesOf(other)["tokenizer.json"]).toEqual(filesOf(whole)["tokenizer.json"]);
  });

  test("a trained model is trained further, with its own tokenizer", async () => {
    const out = outputIn("further");
    const args = ["train", "--from", whole, "--text", inFolder("train.txt"), "--out", out];
    const more = ["--steps", "20", "--window", "16", "--learning-rate", "0.005", "--threads", "1"];
    expect(await fewbitHere([...args, ...more])).toMatchObject({ code: 0 });
    const before = recordOf(whole).losses.at(-1).loss;
    expect(recordOf(out).losses.at(-1).loss).toBeLessThan(before);
    expect(filesOf(out)["tokenizer.json"]).toEqual(filesOf(whole)["tokenizer.json"]);
  });
});

describe("a killed training, run again, ends at the same bytes", () => {
  test.each([
    [
      "in the middle of the tensors of a state",
      () => `${find(changes, /^write state.*safetensors/, -9)}half`,
    ],
    ["before a state gets its name", () => find(changes, /^rename state.*safetensors/, 2)],
    [
      "between the tensors and the document of a state",
      () => find(changes, /^write state.*json/, 2),
    ],
    ["in the middle of the weights", () => `${find(changes, /^write model\.safetensors/, 6)}half`],
    ["in the middle of its record", () => `${find(changes, /^write run\.json/, 1)}half`],
    ["before its record is durable", () => find(changes, /^sync run\.json/, 1)],
    ["before its record gets its name", () => find(changes, /^rename run\.json$/, 1)],
    ["after the output got its name", () => find(changes, /^rename out$/, 1) + 1],
  ])("%s", async (what, at) => {
    const out = outputIn(what);
    const killed = await killAt(words(out), at());
    expect(killed).toMatchObject({ code: null });
    const besideAfterKill = besides(out).length;
    expect(besideAfterKill).toBe(/got its name/.test(what) ? 0 : 1);
    expect(await fewbitHere(words(out))).toMatchObject({ code: 0 });
    expect(filesOf(out)).toEqual(filesOf(whole));
    expect(besides(out)).toEqual([]);
  });

  test("with other options it is refused, and --restart begins anew", async () => {
    const out = outputIn("options");
    const killed = await killAt(words(out), find(changes, /^write model\.safetensors/, 6));
    expect(killed).toMatchObject({ code: null });
    const refused = await fewbitHere(words(out, "--seed", "9"));
    expect(refused.code).toBe(2);
    expect(refused.stderr).toMatch(/seed was 5, is 9[\s\S]*--restart/);
    expect(besides(out)).toHaveLength(1);
    expect(await fewbitHere(words(out, "--seed", "9", "--restart"))).toMatchObject({ code: 0 });
    expect(recordOf(out).resumptions).toEqual([]);
  });

  test("Ctrl-C keeps the state, says how to resume, and the next run counts it", async () => {
    const out = outputIn("interrupted");
    const held = await holdAt(words(out), /^write state/);
    await held.interrupt();
    held.release();
    const stopped = await held.finished;
    expect(stopped.code).toBe(130);
    expect(stopped.stderr).toMatch(/the state after step 3 is kept[\s\S]*run the same command/);
    const finished = await fewbitHere(words(out));
    expect(finished).toMatchObject({ code: 0 });
    expect(finished.stderr).toMatch(/resuming after step 3 of 10/);
    expect(filesOf(out)).toEqual(filesOf(whole));
    expect(recordOf(out).resumptions).toHaveLength(1);
  });
});

describe("what cannot be carried out is refused before any work", () => {
  test.each([
    ["an unknown field", { modle: {} }, [], /configuration: modle: there is no such field/],
    ["an unknown field below", { data: { widow: 3 } }, [], /data.widow: there is no such field/],
    ["a text for a number", { steps: "many" }, [], /configuration: steps: /],
    [
      "heads that do not divide",
      { model: { ...config.model, num_key_value_heads: 3 } },
      [],
      /multiple/,
    ],
    [
      "a window beyond the context",
      {},
      ["--window", "64"],
      /longer than the model's context of 32/,
    ],
    ["two lengths", { tokens: 5000 }, [], /given twice: steps and tokens/],
    [
      "a vocabulary below the bytes",
      { model: { ...config.model, vocab_size: 100 } },
      [],
      /at least 258/,
    ],
    ["a text that is missing", {}, ["--text", "/nowhere.txt"], /does not exist/],
    [
      "a warm-up longer than the run",
      { optimizer: { warmUp: 11 } },
      [],
      /longer than the 10 steps/,
    ],
    ["a model twice", {}, ["--from", "x"], /a new model and a model to train further/],
  ])("%s", async (what, change, more, message) => {
    const path = inFolder(`${what}.json`);
    writeFileSync(path, JSON.stringify({ ...config, ...change }));
    const out = outputIn(`refused, ${what}`);
    const [command, , ...rest] = words(out, ...more);
    const { code, stderr } = await fewbitHere([command, path, ...rest]);
    expect(code).not.toBe(0);
    expect(stderr).toMatch(message);
    expect(readdirSync(dirname(out))).toEqual([]);
  });

  test("a training that diverges stops with the step, the layer and advice", async () => {
    const out = outputIn("diverging");
    const { code, stderr } = await fewbitHere(words(out, "--learning-rate", "1e30"));
    expect(code).toBe(1);
    expect(stderr).toMatch(/not finite at step \d+; the backward pass met it first at [\w.]+/);
    expect(stderr).toMatch(/learning rate below/);
  });
});
