import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { evaluate, quantize, type RunRecord } from "../../src/index.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { fewbitHere } from "./cli-process.ts";
import { temporaryFolder } from "./shared-models.ts";

/*
 * Models that chat: conversations as calibration text, as text of finishers and as what the model
 * writes itself, through the template that the model brings.
 */

const inFolder = temporaryFolder();
const template =
  "{{ bos_token }}{% for m in messages %}{{ m.role }}\n{{ m.content }}{{ eos_token }}{% endfor %}" +
  "{% if add_generation_prompt %}assistant\n{% endif %}";
const shouting = template.replaceAll("m.content", "m.content | upper");

let tiny: TinyCheckpoint;
let plain: TinyCheckpoint;
let chats = "";
beforeAll(async () => {
  tiny = await writeTinyCheckpoint({});
  plain = await writeTinyCheckpoint({});
  const templates = [
    { name: "default", template },
    { name: "shouting", template: shouting },
  ];
  const settings = { bos_token: "<s>", eos_token: "</s>", chat_template: templates };
  writeFileSync(join(tiny.path, "tokenizer_config.json"), JSON.stringify(settings));
  chats = inFolder("chats.jsonl");
  const conversations = ["rain", "snow", "a warm wind", "fog"].map((weather) => ({
    messages: [
      { role: "user", content: `Is there ${weather}?` },
      { role: "assistant", content: `No, ${weather} is far away.` },
      { role: "user", content: "Thanks!" },
      { role: "assistant", content: "Welcome." },
    ],
  }));
  writeFileSync(chats, conversations.map((chat) => JSON.stringify(chat)).join("\n"));
});
afterAll(async () => {
  await tiny.remove();
  await plain.remove();
});

const quantized = async (out: string, words: string, model = tiny.path) => {
  const path = inFolder(out);
  const args = ["quantize", model, "--out", path, "--scheme", "w2g8", ...words.split(" ")];
  const { code, stderr } = await fewbitHere(args);
  expect(code, stderr).toBe(0);
  return path;
};
const recordOf = (path: string): RunRecord =>
  JSON.parse(readFileSync(join(path, "run.json"), "utf8"));
const weightsOf = (path: string) => readFileSync(join(path, "model.safetensors"));

describe("conversations", () => {
  test("calibrate a quantizer and train its scales to answer as the original does", async () => {
    const text = `--calibration ${chats} --samples 4 --window 32`;
    const gptq = await quantized("gptq", `--method gptq ${text}`);
    const finisher =
      "--finish e2e-qp --e2e-qp-epochs 8 --e2e-qp-batch 2 --e2e-qp-learning-rate 0.004 " +
      `--e2e-qp-precision f32 --finish-text ${chats} --finish-samples 4 --finish-window 60`;
    const both = await quantized("both", `--method gptq ${text} ${finisher}`);
    const [finished] = recordOf(both).finishers ?? [];
    expect(finished.text).toEqual({ windows: 4, tokens: 4 * 60 });
    expect(finished.training?.setback).toBeUndefined();
    const { heldOut = [], keptStep } = finished.training ?? {};
    expect(keptStep).toBe(16);
    expect(heldOut.at(-1)?.loss).toBeLessThan(0.8 * heldOut[0].loss);

    const measured = { text: chats, window: 60, maxWindows: 1, speedTokens: 0, against: tiny.path };
    const whole = async (path: string) => (await evaluate(path, measured)).klDivergence?.mean ?? 0;
    expect(await whole(both)).toBeLessThan(await whole(gptq));
  });

  test("in windows longer than the context are refused before any work", async () => {
    const words = `--method rtn --scheme w2g8 --finish e2e-qp --finish-text ${chats} --finish-window 90`;
    const out = inFolder("long");
    const args = [
      "quantize",
      tiny.path,
      "--out",
      out,
      "--finish-samples",
      "4",
      ...words.split(" "),
    ];
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(2);
    expect(stderr).toContain("longer than the model's context");
    expect(stderr).not.toContain("stage 1");
  });

  test("are written by the template that is named", async () => {
    const text = `--method gptq --calibration ${chats} --samples 4 --window 32`;
    const usual = await quantized("template-usual", text);
    const other = await quantized("template-other", `${text} --chat-template shouting`);
    expect(weightsOf(other).equals(weightsOf(usual))).toBe(false);
    const words = `--method gptq --scheme w2g8 --calibration ${chats} --chat-template none`;
    const args = ["quantize", tiny.path, "--out", inFolder("none"), ...words.split(" ")];
    const { code, stderr } = await fewbitHere(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain("default, shouting");
  });
});

describe("conversations that the model writes itself", () => {
  const own = {
    calibration: { selfGenerated: true, selfGeneratedForm: "chat" },
    window: 40,
  } as const;
  const options = { ...own, method: "gptq", scheme: "w2g8", samples: 3, threads: 1 } as const;

  test("calibrate, the same for the same seed, and not as text does", async () => {
    const [first, again, other, text] = ["self", "self-again", "self-other", "self-text"].map(
      inFolder,
    );
    const { record } = await quantize(tiny.path, { ...options, out: first });
    expect(record.calibration).toEqual({ windows: 3, tokens: 120 });
    await quantize(tiny.path, { ...options, out: again });
    await quantize(tiny.path, { ...options, seed: 1, out: other });
    await quantize(tiny.path, { ...options, calibration: { selfGenerated: true }, out: text });
    expect(weightsOf(again).equals(weightsOf(first))).toBe(true);
    expect(weightsOf(other).equals(weightsOf(first))).toBe(false);
    expect(weightsOf(text).equals(weightsOf(first))).toBe(false);
  });

  test("need a chat template, and are refused without one before any work", async () => {
    const words = "--method gptq --scheme w2g8 --self-calibration --self-calibration-form chat";
    const args = ["quantize", plain.path, "--out", inFolder("no"), ...words.split(" ")];
    const { code, stderr } = await fewbitHere(args);
    expect(code).not.toBe(0);
    expect(stderr).toContain("no chat template");
  });

  test("the form of what is not written by the model is refused", async () => {
    const words = `--method gptq --scheme w2g8 --calibration ${chats} --self-calibration-form chat`;
    const args = ["quantize", tiny.path, "--out", inFolder("form"), ...words.split(" ")];
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(2);
    expect(stderr).toContain("only text that the model writes itself has a form");
  });
});
