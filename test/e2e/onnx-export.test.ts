import { existsSync, readFileSync, statSync } from "node:fs";
import { open } from "node:fs/promises";
import { join } from "node:path";
import { afterEach, describe, expect, test } from "vitest";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import {
  exportCheckpoint,
  type ExportOptions,
  generate,
  load,
  NumericError,
  planExport,
  quantize,
  UnsupportedError,
  UsageError,
} from "../../src/index.ts";
import { planTensors } from "../../src/quantize/export/onnx/tensor-plans.ts";
import { verifyOnnx } from "../../src/quantize/export/onnx/verify.ts";
import { openModelCheckpoint } from "../../src/runtime/model-checkpoint.ts";
import { OnnxModel } from "../fixtures/onnx-session.ts";
import {
  type TinyCheckpoint,
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../golden/tiny-checkpoint.ts";
import { fewbitHere } from "./cli-process.ts";
import { absent, quantizeLikeReference, shared, temporaryFolder } from "./shared-models.ts";

const inFolder = temporaryFolder();
let tiny: TinyCheckpoint | null = null;
afterEach(async () => {
  await tiny?.remove();
  tiny = null;
});

async function makeTiny(options: TinyCheckpointOptions = {}): Promise<string> {
  tiny = await writeTinyCheckpoint(options);
  return tiny.path;
}

/** A tiny model rounded to a scheme whose zero points no formula gives. */
async function makeRounded(scheme: string): Promise<string> {
  const out = inFolder(`rounded-${scheme}`);
  await quantize(await makeTiny(), { method: "rtn", scheme, out, overwrite: true });
  return out;
}

const makeOf = (scheme: string): Promise<string> =>
  scheme.endsWith("floatzero") ? makeRounded(scheme) : makeTiny({ scheme });

type Options = Omit<Partial<ExportOptions>, "onNotice" | "signal">;

async function toOnnx(from: string, name: string, options: Options = {}) {
  const asked = { ...options, format: "onnx", out: inFolder(name) } as const;
  const result = await exportCheckpoint(from, asked);
  if (result.format !== "onnx") throw new Error("expected an ONNX export");
  return result;
}

const dataPath = (out: string): string => join(out, "onnx/model_q4.onnx_data");
const readJson = (path: string) => JSON.parse(readFileSync(path, "utf8"));
const ids = [5, 9, 3, 20, 7, 11, 4];

async function logitsHere(path: string): Promise<Float32Array> {
  const model = await load(path);
  const hidden = model.hiddenStates(model.tokens([ids]));
  const read = await model.logits(hidden.reshape([ids.length, model.config.hiddenSize])).read();
  model.release();
  return Float32Array.from(read);
}

/** Largest difference of the logits of both, as a share of the largest. */
async function difference(path: string, out: string): Promise<number> {
  const expected = await logitsHere(path);
  const model = await OnnxModel.open(out);
  const { logits } = await model.run(ids);
  await model.release();
  expect(logits.length).toBe(expected.length);
  const largest = expected.reduce((most, x) => Math.max(most, Math.abs(x)), 0);
  return logits.reduce((most, x, i) => Math.max(most, Math.abs(x - expected[i])), 0) / largest;
}

describe("export --format onnx keeps every weight, and onnxruntime-web multiplies by it", () => {
  test.each([
    ["w1", "q2", "_q2"],
    ["w1.58", "q2", "_q2"],
    ["w1.58-seq", "q2", "_q2"],
    ["w2g16", "q2", "_q2"],
    ["w2-seq", "q4", "_q4"],
    ["w2g16-floatzero", "q2", "_q2"],
    ["w3g16", "q4", "_q4"],
    ["w4g32-sym", "q4", "_q4"],
    ["w4g32-floatzero", "q4", "_q4"],
    ["w8", "q8", "_quantized"],
  ])("%s is %s of transformers.js", async (scheme, dtype, suffix) => {
    const path = await makeOf(scheme);
    const result = await toOnnx(path, `scheme-${scheme}`, { verify: true });
    expect(result).toMatchObject({ dtype, rounded: 0 });
    expect(result.verification?.otherWeights).toBe(0);
    expect(existsSync(join(result.out, "onnx", `model${suffix}.onnx`))).toBe(true);
    expect(await difference(path, result.out)).toBeLessThan(2e-5);
  });

  test("float16 is near, and says so in names and types", async () => {
    const path = await makeTiny({ scheme: "w4g32", dtype: "float16" });
    const result = await toOnnx(path, "f16", { dtype: "f16" });
    expect(result.dtype).toBe("q4f16");
    const config = readJson(join(result.out, "config.json"));
    expect(config["transformers.js_config"]).toEqual({
      dtype: "q4f16",
      use_external_data_format: { "model_q4f16.onnx": 1 },
      kv_cache_dtype: { q4f16: "float16" },
    });
    expect(await difference(path, result.out)).toBeLessThan(0.01);
  });

  test("fast products round their inputs", async () => {
    const path = await makeTiny({ scheme: "w4g32" });
    const [exact, fast] = [
      await toOnnx(path, "exact"),
      await toOnnx(path, "fast", { products: "fast" }),
    ];
    const model = (out: string): string => readFileSync(join(out, "onnx/model_q4.onnx"), "latin1");
    expect(model(exact.out)).not.toContain("accuracy_level");
    expect(model(fast.out)).toContain("accuracy_level");
    expect(await difference(path, fast.out)).toBeLessThan(0.2);
  });

  test("the plan is what is written, to the byte, in parts too", async () => {
    const path = await makeTiny({ scheme: "w4g32" });
    const options = { format: "onnx", out: inFolder("parts"), splitSize: 5000 } as const;
    const plan = await planExport(path, options);
    await exportCheckpoint(path, options);
    expect(plan.files.length).toBeGreaterThan(3);
    for (const file of plan.files) expect(statSync(file.path).size).toBe(file.sizeBytes);
    const config = readJson(join(options.out, "config.json"));
    expect(config["transformers.js_config"].use_external_data_format).toEqual({
      "model_q4.onnx": plan.files.length - 1,
    });
    expect(config.quantization_config).toBeUndefined();
    expect(await difference(path, options.out)).toBeLessThan(2e-5);
  });

  test("onnxruntime-genai finds its config, with ids and sampling of the model", async () => {
    const generationConfig = { eos_token_id: [1, 2], do_sample: true, top_p: 0.9 };
    const path = await makeTiny({ scheme: "w4g32", generationConfig });
    const { out } = await toOnnx(path, "genai");
    const { model, search } = readJson(join(out, "genai_config.json"));
    expect(model).toMatchObject({ type: "llama", eos_token_id: [1, 2], pad_token_id: 1 });
    expect(model.decoder.filename).toBe("onnx/model_q4.onnx");
    expect(model.decoder.inputs.past_key_names).toBe("past_key_values.%d.key");
    expect(search).toMatchObject({ do_sample: true, top_p: 0.9, temperature: 1 });
  });
});

describe("export --format onnx refuses by name, and writes nothing", () => {
  test.each<[string, Options, typeof UnsupportedError | typeof UsageError, string]>([
    ["w4-nf4", {}, UnsupportedError, "no operator of ONNX Runtime"],
    ["w4g20", {}, UnsupportedError, "no whole number of blocks of 16"],
    ["w8-floatzero", {}, UnsupportedError, "fractional zero points"],
    ["w1-onebit", {}, UnsupportedError, "onebit"],
    ["w1a1", {}, UnsupportedError, "signs"],
    ["w4g32", { dtype: "bf16" }, UsageError, "`dtype: bf16`"],
    ["w4g32", { type: "q4_0" }, UsageError, "`type` means nothing"],
  ])("%s %j", async (scheme, options, kind, named) => {
    const path = await makeOf(scheme);
    const failed = toOnnx(path, "refused", options);
    await expect(failed).rejects.toThrow(named);
    await expect(failed).rejects.toBeInstanceOf(kind);
    expect(existsSync(inFolder("refused"))).toBe(false);
  });

  test("what lies there already stays, unless it may be replaced", async () => {
    const path = await makeTiny({ scheme: "w4g32" });
    await toOnnx(path, "again");
    await expect(toOnnx(path, "again")).rejects.toBeInstanceOf(UsageError);
    await toOnnx(path, "again", { overwrite: true });
  });

  test("a changed byte of the data is found by the verification", async () => {
    const path = await makeTiny({ scheme: "w4g32" });
    const { out } = await toOnnx(path, "changed");
    const { checkpoint, config } = await openModelCheckpoint(path);
    const modules = readQuantizationConfig(checkpoint.config)?.modules ?? new Map();
    const asked = { compute: "f32", requantize: false } as const;
    const plans = await planTensors(checkpoint, modules, config, asked);
    const verify = () => verifyOnnx(join(out, "onnx"), "model_q4.onnx", { checkpoint, plans });
    expect((await verify()).otherWeights).toBe(0);
    const file = await open(join(out, "onnx/model_q4.onnx_data"), "r+");
    await file.write(Uint8Array.of(0xab, 0xcd, 0xef), 0, 3, statSync(dataPath(out)).size >> 1);
    await file.close();
    await expect(verify()).rejects.toBeInstanceOf(NumericError);
    await checkpoint.close();
  });
});

describe.skipIf(absent)(`a model that was trained, in onnxruntime-web${absent}`, () => {
  const prompt = "The old house";
  const count = 16;

  test("continues a text as fewbit does, token by token, its embedding packed, too", async () => {
    const packed = inFolder("prose");
    await quantizeLikeReference("prose-6m", {
      method: "rtn",
      scheme: "w4g64",
      embedding: "w8g64",
      out: packed,
    });
    const out = inFolder("prose-onnx");
    const asked = ["export", packed, "--format", "onnx", "--out", out, "--verify"];
    const { code, stdout } = await fewbitHere(asked);
    expect(code).toBe(0);
    expect(stdout).toContain("dtype q4 for transformers.js");
    const own = await load(packed);
    const start = own.tokenizer.encode(prompt);
    const expected: number[] = [];
    const settings = {
      prompt: start,
      maxTokens: count,
      products: "exact",
      kvCache: "f32",
      ignoreEos: true,
    } as const;
    for await (const { token } of generate(own, settings)) expected.push(token);
    own.release();
    const model = await OnnxModel.open(out);
    const found: number[] = [];
    let answer = await model.run([...start]);
    while (found.length < count) {
      const width = answer.logits.length / (found.length === 0 ? start.length : 1);
      const last = answer.logits.subarray(-width);
      found.push(last.indexOf(last.reduce((most, x) => Math.max(most, x), -Infinity)));
      answer = await model.run(found.slice(-1), answer.cache);
    }
    await model.release();
    expect(found).toEqual(expected);
  });

  test("is unquantized as exact", async () => {
    const path = shared("models/prose-6m");
    const result = await toOnnx(path, "plain", { verify: true });
    expect(result.dtype).toBe("fp32");
    expect(await difference(path, result.out)).toBeLessThan(2e-5);
  });
});
