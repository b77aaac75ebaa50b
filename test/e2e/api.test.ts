import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import {
  type Backend,
  CancelledError,
  evaluate,
  generateText,
  inspect,
  load,
  type PipelineEvent,
  type QuantizeOptions,
  quantize,
  type RunRecord,
} from "../../src/index.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { runRecipe } from "../../src/quantize/quantize.ts";
import { toRecipe } from "../../src/recipe/quantize-options.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import {
  absent,
  calibrationText,
  evaluationText,
  shared,
  temporaryFolder,
} from "./shared-models.ts";

const model = shared("models/stories260K");
const native = nativeAvailability();
const noNative = native.available ? "" : ` (skipped: ${native.reason})`;
const inFolder = temporaryFolder();
const gptq = {
  method: "gptq",
  scheme: "w4g64",
  calibration: calibrationText("stories260K"),
  samples: 8,
  window: 64,
  ...keptTables,
} as const;

const weightsOf = (path: string): Buffer => readFileSync(join(path, "model.safetensors"));

/** Hash over names and contents of all files of a folder. */
function hashOf(folder: string): string {
  const hash = createHash("sha256");
  for (const name of readdirSync(folder).sort()) {
    hash.update(name).update(readFileSync(join(folder, name)));
  }
  return hash.digest("hex");
}

/** The codes of all modules of a checkpoint, one after the other. */
async function codesOf(directory: string): Promise<Uint8Array> {
  const checkpoint = await openCheckpoint(directory);
  const codes: Uint8Array[] = [];
  for (const [name, module] of readQuantizationConfig(checkpoint.config)?.modules ?? []) {
    codes.push((await readQTensor(checkpoint, name, module)).unpackCodes());
  }
  await checkpoint.close();
  return Buffer.concat(codes);
}

/** Share of the codes of two checkpoints that are the same. */
async function agreement(one: string, other: string): Promise<number> {
  const [a, b] = [await codesOf(one), await codesOf(other)];
  expect(a.length).toBe(b.length);
  expect(a.length).toBeGreaterThan(200_000);
  return a.reduce((same, code, i) => same + (code === b[i] ? 1 : 0), 0) / a.length;
}

/** Quantizes on a backend that is not what the library would choose. */
function quantizeOn(backend: Backend, options: QuantizeOptions): Promise<RunRecord> {
  return runRecipe(toRecipe(model, options), { backend, emit: () => {} });
}

describe.skipIf(absent)(`the library${absent}`, () => {
  test("quantizes a loaded model, tells its events, and evaluates the result", async () => {
    const original = await load(model);
    const out = inFolder("example");
    const result = await quantize(original, { ...gptq, out });
    const events: PipelineEvent[] = [];
    for await (const event of result.events) events.push(event);
    const counts = (type: PipelineEvent["type"]) => events.filter((e) => e.type === type).length;
    expect(events[0].type).toBe("plan");
    expect(events.at(-1)).toEqual({ type: "done", record: result.record });
    expect([counts("linear"), counts("block")]).toEqual([35, 5]);
    const fractions = events.flatMap((e) => (e.type === "progress" ? [e.fraction] : []));
    expect(fractions).toEqual([...fractions].sort((a, b) => a - b));
    expect(JSON.parse(readFileSync(join(out, "run.json"), "utf8"))).toEqual(result.record);

    const { perplexity, klDivergence, topTokenAgreement } = await evaluate(await load(out), {
      text: evaluationText("stories260K"),
      window: 256,
      maxWindows: 16,
      speedTokens: 0,
      against: original,
    });
    expect(perplexity).toBeLessThan(10);
    expect(klDivergence?.mean).toBeGreaterThan(0);
    expect(klDivergence?.mean).toBeLessThan(0.3);
    expect(topTokenAgreement).toBeGreaterThan(0.7);
  });

  test("refuses unknown methods, schemes and options before work", async () => {
    const out = inFolder("refused");
    const wrong: QuantizeOptions[] = [
      // @ts-expect-error there is no such method
      { ...gptq, method: "gptx", out },
      // @ts-expect-error GPTQ has no such option
      { ...gptq, options: { dampening: 1 }, out },
      { ...gptq, scheme: "w5", out },
    ];
    for (const options of wrong) await expect(quantize(model, options)).rejects.toThrow();
    expect(existsSync(out)).toBe(false);
  });

  test("a run that is cancelled resumes, in the same process, to the same bytes", async () => {
    const before = hashOf(model);
    const parent = inFolder("cancelled");
    mkdirSync(parent);
    const out = join(parent, "out");
    const controller = new AbortController();
    const run = quantize(model, { ...gptq, out, signal: controller.signal });
    let linears = 0;
    for await (const { type } of run.events) {
      if (type === "linear" && ++linears === 9) controller.abort();
    }
    await expect(run).rejects.toThrow(CancelledError);
    expect(linears).toBeGreaterThanOrEqual(9);
    expect(linears).toBeLessThan(35);
    expect(existsSync(out)).toBe(false);
    expect(hashOf(model)).toBe(before);

    const next = quantize(model, { ...gptq, out });
    const { record } = await next;
    const types: string[] = [];
    for await (const event of next.events) {
      types.push(event.type);
      if (event.type === "resumed") expect(event.finishedBlocks).toBe(1);
    }
    expect(types.filter((type) => type === "linear")).toHaveLength(28);
    expect(types).toContain("resumed");
    expect(record.linears).toHaveLength(35);
    expect(record.resumptions).toMatchObject([{ blocks: 1 }]);
    expect(readdirSync(parent)).toEqual(["out"]);
    const whole = join(parent, "whole");
    await quantize(model, { ...gptq, out: whole });
    for (const name of ["model.safetensors", "config.json"]) {
      expect(readFileSync(join(out, name)).equals(readFileSync(join(whole, name))), name).toBe(
        true,
      );
    }
  });

  test("a run that is cancelled before it finished anything leaves nothing", async () => {
    const parent = inFolder("cancelled-early");
    mkdirSync(parent);
    const controller = new AbortController();
    const out = join(parent, "out");
    const run = quantize(model, { ...gptq, out, signal: controller.signal });
    for await (const { type } of run.events) if (type === "linear") controller.abort();
    await expect(run).rejects.toThrow(CancelledError);
    expect(readdirSync(parent)).toEqual([]);
  });

  test("patterns leave layers out and give others schemes of their own", async () => {
    const out = inFolder("mixed");
    const { record } = await quantize(model, {
      method: "rtn",
      scheme: "w2g64",
      ignore: ["layers.0.*", "o_proj"],
      layers: [
        { pattern: "mlp.*", scheme: "w4g32" },
        { pattern: "layers.4.mlp.down_proj", scheme: "w8" },
      ],
      out,
    });
    const bySlot = new Map(record.linears.map(({ module, scheme }) => [module, scheme]));
    const module = (name: string) => bySlot.get(`model.layers.${name}`);
    expect(bySlot.size).toBe(4 * 6);
    expect(module("0.self_attn.q_proj")).toBeUndefined();
    expect(module("3.self_attn.o_proj")).toBeUndefined();
    expect(module("1.self_attn.k_proj")).toBe("w2g64");
    expect(module("4.mlp.up_proj")).toBe("w4g32");
    expect(module("4.mlp.down_proj")).toBe("w8");
    const { quantization } = await inspect(out);
    expect(quantization?.schemes).toEqual({ w2g64: 12, w4g32: 11, w8: 1, "w8g64-sym": 1 });
    (await load(out)).release();
  });

  test("the same recipe gives the same bytes, with 1 thread and with 2", async () => {
    const outs = ["first", "second", "threads"].map(inFolder);
    await quantize(model, { ...gptq, threads: 1, out: outs[0] });
    await quantize(model, { ...gptq, threads: 1, out: outs[1] });
    await quantize(model, { ...gptq, threads: 2, out: outs[2] });
    expect(weightsOf(outs[1]).equals(weightsOf(outs[0]))).toBe(true);
    expect(weightsOf(outs[2]).equals(weightsOf(outs[0]))).toBe(true);
  });

  test.skipIf(noNative)(`rtn: both backends choose the same codes${noNative}`, async () => {
    const [one, other] = [inFolder("rtn-native"), inFolder("rtn-reference")];
    const options = { method: "rtn", scheme: "w4g64" } as const;
    await quantize(model, { ...options, backend: "native", out: one });
    await quantize(model, { ...options, backend: "reference", out: other });
    expect(await agreement(one, other)).toBeGreaterThan(0.999);
  });

  // Kernels for bfloat16 units round the inputs of the Hessian; GPTQ carries a code that falls
  // otherwise on to all later ones. Then the error is the same, not each code. Columns come in
  // their natural order, for which of two equally strong ones comes first is a matter of rounding.
  test.skipIf(noNative)(`gptq: both backends err by the same amount${noNative}`, async () => {
    const paths = ["reference", "portable", "native"].map((name) => inFolder(`gptq-${name}`));
    const backends = [
      createReferenceBackend(),
      createNativeBackend({ level: "portable" }),
      createNativeBackend(),
    ];
    const options = { groupAware: false };
    const errors: number[] = [];
    for (const [i, backend] of backends.entries()) {
      const { linears } = await quantizeOn(backend, { ...gptq, options, out: paths[i] });
      errors.push(linears.reduce((sum, { relativeError }) => sum + relativeError, 0));
    }
    expect(await agreement(paths[0], paths[1])).toBeGreaterThan(0.999);
    expect(Math.abs(errors[1] / errors[0] - 1)).toBeLessThan(1e-3);
    expect(Math.abs(errors[2] / errors[0] - 1)).toBeLessThan(0.02);
  });

  test("a quantized model continues a text the same way each time, as its seed says", async () => {
    const out = inFolder("generate");
    await quantize(model, { method: "rtn", scheme: "w8", out });
    const loaded = await load(out);
    const write = async (seed: number, temperature: number) =>
      (await generateText(loaded, { prompt: "Once", maxTokens: 48, temperature, seed })).text;
    expect(await write(0, 0)).toBe(await write(1, 0));
    expect(await write(7, 1)).toBe(await write(7, 1));
    expect(await write(7, 1)).not.toBe(await write(8, 1));
    const again = await load(out);
    const { text } = await generateText(again, { prompt: "Once", maxTokens: 48, temperature: 0 });
    expect(text).toBe(await write(0, 0));
    for (const each of [loaded, again]) each.release();
  });

  test("text sampled from the model itself calibrates, the same text for the same seed", async () => {
    const { calibration: _, ...rest } = gptq;
    const own = { ...rest, calibration: { selfGenerated: true } };
    const outs = ["own-0", "own-0-again", "own-1"].map(inFolder);
    const { record } = await quantize(model, { ...own, seed: 0, out: outs[0] });
    await quantize(model, { ...own, seed: 0, out: outs[1] });
    await quantize(model, { ...own, seed: 1, out: outs[2] });
    expect(record.calibration).toEqual({ windows: 8, tokens: 8 * 64 });
    expect(record.fallbacks).toEqual([]);
    expect(weightsOf(outs[1]).equals(weightsOf(outs[0]))).toBe(true);
    expect(weightsOf(outs[2]).equals(weightsOf(outs[0]))).toBe(false);
  });
});
