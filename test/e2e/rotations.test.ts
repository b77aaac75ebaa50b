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
