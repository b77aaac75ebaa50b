import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  CancelledError,
  evaluate,
  inspect,
  planQuantization,
  type QuantizeOptions,
  quantize,
} from "../../src/index.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";
import { filesOf } from "./killed-runs.ts";

/* A rotation in front of other steps, on a tiny model whose head is its embedding. */

const builtin = fileURLToPath(new URL("../../builtin/model/", import.meta.url));
const windows = { samples: 4, window: 24 };
let folder = "";
let text = "";
let model: TinyCheckpoint;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-rotations-"));
  text = join(folder, "text.txt");
  writeFileSync(text, "The quick brown fox jumps over the lazy dog. ".repeat(12));
  model = await writeTinyCheckpoint({
    modelCase: "llama-tied-multi-head",
    fitting: true,
    config: { hidden_size: 96, intermediate_size: 64, num_attention_heads: 4, head_dim: 32 },
  });
});
afterAll(async () => {
  await model.remove();
  rmSync(folder, { recursive: true });
});

const newOutput = (name = "out"): string => join(mkdtempSync(join(folder, "run-")), name);

async function lossOf(path: string): Promise<number> {
  const { samples: maxWindows, window } = windows;
  return (await evaluate(path, { text, window, maxWindows, speedTokens: 0 })).loss.mean;
}

const rotation = { method: "quarot" } as const;
const recipe = {
  threads: 1,
  method: "gptq",
  scheme: "w8g32",
  transforms: [rotation, { method: "awq", options: { searchTokens: 64 } }],
  ...keptTables,
  ...windows,
} as const;

function quantizeTo(out: string, fields: object = {}): ReturnType<typeof quantize> {
  const asked: object = { ...recipe, calibration: text, ...fields, out };
  return quantize(model.path, asked as QuantizeOptions);
}

describe("a rotation in front of other steps", () => {
  test("with AWQ, GPTQ, embedding and head at 8 bits, it is nearly the same model", async () => {
    const out = newOutput();
    await quantizeTo(out, { embedding: "w8", head: "w8" });
    expect(Math.abs((await lossOf(out)) - (await lossOf(model.path)))).toBeLessThan(0.02);
    const { quantization } = await inspect(out);
    expect(quantization?.methods).toEqual(["quarot", "awq", "gptq"]);
  });

  test("interrupted and resumed, with embedding and head written, it has the same bytes", async () => {
    const [whole, out] = [newOutput(), newOutput()];
    const ends = { embedding: "w8", head: "w4g32" };
    await quantizeTo(whole, ends);
    const controller = new AbortController();
    const first = quantizeTo(out, { ...ends, signal: controller.signal });
    for await (const event of first.events) if (event.type === "block") controller.abort();
    await expect(first).rejects.toThrow(CancelledError);
    await quantizeTo(out, ends);
    expect(filesOf(out)).toEqual(filesOf(whole));
    const other = newOutput();
    await quantizeTo(other, { ...ends, seed: 1 });
    expect(filesOf(other)).not.toEqual(filesOf(whole));
  });

  test("a finisher trains what it made, towards the original", async () => {
    const out = newOutput();
    const finishers = [{ method: "e2e-qp", options: { epochs: 1 } }];
    await quantizeTo(out, { transforms: [rotation], finishers });
    expect(Math.abs((await lossOf(out)) - (await lossOf(model.path)))).toBeLessThan(0.05);
  });

  test("a method that trains blocks learns from rotated blocks", async () => {
    const out = newOutput();
    const options = { epochs: 1 };
    await quantizeTo(out, { transforms: [rotation], method: "block-ap", options });
    expect(Math.abs((await lossOf(out)) - (await lossOf(model.path)))).toBeLessThan(0.05);
  });

  test("into a GGUF file, whose head is a table of its own, and out of one", async () => {
    const out = newOutput("out.gguf");
    const plain = { method: "rtn", scheme: "q8_0", threads: 1 } as const;
    await quantize(builtin, { ...plain, transforms: [rotation], out });
    const loss = await lossOf(builtin);
    expect(Math.abs((await lossOf(out)) - loss)).toBeLessThan(0.02);
    const again = newOutput();
    await quantize(out, { ...plain, scheme: "w8g32", transforms: [rotation], out: again });
    expect(Math.abs((await lossOf(again)) - loss)).toBeLessThan(0.02);
  });

  test("the plan says what the head costs, and the output has the size that it says", async () => {
    const out = newOutput();
    const asked = { ...recipe, calibration: text, transforms: [rotation], method: "rtn", out };
    const plan = await planQuantization(model.path, asked as unknown as QuantizeOptions);
    expect(plan.cautions.join()).toContain("QuaRot folds the final norm into the output head");
    expect(plan.methodTitle).toBe("QuaRot + RTN");
    await quantizeTo(out, { transforms: [rotation], method: "rtn" });
    const { size } = statSync(join(out, "model.safetensors"));
    expect(size).toBeGreaterThanOrEqual(plan.estimate.outputBytes);
    expect(size).toBeLessThan(plan.estimate.outputBytes + 10_000);
  });
});

describe("rotations that are learned", () => {
  const options = { steps: 4, batch: 2, heldOut: 1, checkpointEvery: 1, learningRate: 0.5 };
  const learned = { method: "spinquant", options } as const;
  const simple = { method: "rtn", scheme: "w2g32", transforms: [learned] };

  test("are no worse than QuaRot's on the loss that they are learned by", async () => {
    const out = newOutput();
    const gentle = { ...options, heldOut: 0, batch: 4, learningRate: 0.02 };
    const transforms = [{ ...learned, options: gentle }];
    const { record } = await quantizeTo(out, { ...simple, transforms });
    const { heldOut = [], keptStep = 0, steps } = record.training ?? {};
    expect(steps).toBe(4);
    const kept = heldOut.find(({ step }) => step === keptStep)?.loss ?? Number.NaN;
    expect(kept).toBe(Math.min(...heldOut.map(({ loss }) => loss)));
    expect(kept).toBeLessThan(heldOut[0].loss);
  });

  test("begin with the loss of QuaRot and rounding to nearest, and end with that of the output", async () => {
    const [one, start, end] = [newOutput(), newOutput(), newOutput()];
    const window = { samples: 2, window: 24, selfGenerated: false };
    const ofAll = { ...options, heldOut: 0, batch: 2 };
    const { record } = await quantizeTo(end, {
      ...simple,
      ...window,
      transforms: [{ ...learned, options: ofAll }],
    });
    await quantizeTo(start, { ...simple, ...window, transforms: [rotation] });
    await quantizeTo(one, { ...simple, ...window, transforms: [] });
    const loss = async (path: string): Promise<number> =>
      (await evaluate(path, { text, window: 24, maxWindows: 2, speedTokens: 0 })).loss.mean;
    const { heldOut = [], keptStep = 0 } = record.training ?? {};
    expect(heldOut[0].loss).toBeCloseTo(await loss(start), 2);
    expect(heldOut.find(({ step }) => step === keptStep)?.loss).toBeCloseTo(await loss(end), 2);
    expect(await loss(one)).not.toBeCloseTo(await loss(start), 2);
  });

  test("interrupted while they are learned, and behind that, the run ends with the same bytes", async () => {
    const whole = newOutput();
    const fields = { ...simple, embedding: "w8" };
    await quantizeTo(whole, fields);
    for (const type of ["step", "block"]) {
      const out = newOutput();
      const controller = new AbortController();
      const first = quantizeTo(out, { ...fields, signal: controller.signal });
      for await (const event of first.events) {
        if (event.type === type && (event.type !== "step" || event.step === 2)) controller.abort();
      }
      await expect(first).rejects.toThrow(CancelledError);
      const steps: number[] = [];
      const second = quantizeTo(out, fields);
      for await (const event of second.events) if (event.type === "step") steps.push(event.step);
      await second;
      expect(steps).toEqual(type === "step" ? [3, 4] : []);
      expect(filesOf(out)).toEqual(filesOf(whole));
    }
  });

  test("the plan says how much it is, and text is asked for before any work", async () => {
    const asked = { ...recipe, ...simple, calibration: text, out: newOutput() };
    const plan = await planQuantization(model.path, asked as unknown as QuantizeOptions);
    expect(plan.learning).toMatchObject({ steps: 4, microBatchTokens: 48 });
    expect(plan.methodTitle).toBe("SpinQuant + RTN");
    const plain = { ...asked, transforms: [rotation] };
    const without = await planQuantization(model.path, plain as unknown as QuantizeOptions);
    expect(plan.estimate.seconds).toBeGreaterThan(without.estimate.seconds);
    const run = quantizeTo(newOutput(), { ...simple, calibration: undefined });
    await expect(run).rejects.toThrow("SpinQuant needs calibration text");
    const none = { ...simple, transforms: [{ ...learned, options: { heldOut: 4 } }] };
    await expect(quantizeTo(newOutput(), none)).rejects.toThrow("none is left to learn on");
  });
});
