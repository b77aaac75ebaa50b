import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import {
  evaluate,
  exportCheckpoint,
  inspect,
  load,
  quantize,
  type QuantizeOptions,
  UsageError,
} from "../../src/index.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { spellWithSpaces } from "../fixtures/spell-with-spaces.ts";
import { keptTables } from "../fixtures/kept-tables.ts";
import { readModelCase } from "../golden/model-cases.ts";
import { type TinyCheckpointOptions, writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

/*
 * Checkpoints of several parts: the language model is quantized, all else stays byte for byte, in
 * every naming that transformers writes.
 */

const calibration = new URL("../../builtin/text/calibration.txt", import.meta.url);
let folder = "";
let text = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-towers-"));
  text = join(folder, "text.txt");
  writeFileSync(text, readFileSync(calibration, "utf8").slice(0, 400));
});
afterAll(() => rmSync(folder, { recursive: true }));
const newOutput = (): string => join(mkdtempSync(join(folder, "run-")), "out");

const removals: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of removals.splice(0)) await remove();
});

/** What stands beside the language model, under the names of its naming. */
const clip: Readonly<Record<string, Shape>> = {
  "vision_tower.vision_model.embeddings.class_embedding": [16],
  "vision_tower.vision_model.embeddings.patch_embedding.weight": [16, 3, 4, 4],
  "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.weight": [16, 16],
  "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj.bias": [16],
  "multi_modal_projector.linear_1.weight": [32, 16],
};
const visual: Readonly<Record<string, Shape>> = {
  "visual.patch_embed.proj.weight": [16, 3, 2, 4, 4],
  "visual.blocks.0.attn.qkv.weight": [48, 16],
  "visual.merger.ln_q.weight": [16],
};
const behindModel = (shapes: Readonly<Record<string, Shape>>): Record<string, Shape> =>
  Object.fromEntries(Object.entries(shapes).map(([name, shape]) => [`model.${name}`, shape]));
const wrapped = (name: string): string =>
  name
    .replace(/^lm_head\./, "language_model.lm_head.")
    .replace(/^model\.language_model\./, "language_model.model.");
const plain = (name: string): string => name.replace(/^model\.language_model\./, "model.");

const layouts: readonly (readonly [
  name: string,
  inBlocks: string,
  layout: TinyCheckpointOptions,
])[] = [
  ["llava", "language_model.model.layers.0.", { extra: clip, rename: wrapped }],
  ["llava", "model.language_model.layers.0.", { extra: behindModel(clip) }],
  ["llava-next", "language_model.", { extra: { ...clip, image_newline: [32] }, rename: wrapped }],
  ["qwen2-vl", "model.layers.0.", { extra: visual, rename: plain }],
  ["qwen2-vl-text-config", "model.language_model.layers.0.", { extra: behindModel(visual) }],
  ["gemma3-images", "language_model.model.layers.0.", { extra: clip, rename: wrapped }],
];

async function tiny(modelCase: string, options: TinyCheckpointOptions): Promise<string> {
  const { path, remove } = await writeTinyCheckpoint({ modelCase, ...options });
  removals.push(remove);
  for (const name of ["preprocessor_config.json", "processor_config.json"]) {
    writeFileSync(join(path, name), JSON.stringify({ image_processor_type: name }));
  }
  return path;
}

/** Bytes of tensors, by name. */
async function bytesOf(path: string): Promise<Map<string, Uint8Array>> {
  const checkpoint = await openCheckpoint(path);
  const all = new Map<string, Uint8Array>();
  for (const [name, { begin, end }] of checkpoint.tensors) {
    const bytes = new Uint8Array(end - begin);
    await checkpoint.readInto(name, bytes, 0);
    all.set(name, bytes);
  }
  await checkpoint.close();
  return all;
}

const lossOf = async (path: string): Promise<number> =>
  (await evaluate(path, { text, window: 24, maxWindows: 2, speedTokens: 0 })).loss.mean;

async function quantized(path: string, method: string): Promise<string> {
  const out = newOutput();
  const asked: object = { out, method, scheme: "w8g16", threads: 1, ...keptTables };
  const text24 = method === "rtn" ? {} : { calibration: text, samples: 4, window: 24 };
  await quantize(path, { ...asked, ...text24 } as QuantizeOptions);
  return out;
}

describe.each(layouts)("%s within %s", (name, inBlocks, layout) => {
  test.each(["rtn", "gptq"])("quantized by %s it keeps its other parts", async (method) => {
    const path = await tiny(name, layout);
    const out = await quantized(path, method);
    const [before, after] = [await bytesOf(path), await bytesOf(out)];
    for (const tower of Object.keys(layout.extra ?? {})) {
      expect(after.get(tower), tower).toEqual(before.get(tower));
    }
    expect([...after.keys()].some((tensor) => tensor.startsWith(inBlocks))).toBe(true);
    const codes = [...after.keys()].filter((tensor) => tensor.endsWith(".codes"));
    expect(codes).toHaveLength((await inspect(path)).sizes.linear.layers);
    expect(codes.filter((tensor) => /tower|visual|projector/.test(tensor))).toEqual([]);
    for (const file of ["preprocessor_config.json", "processor_config.json"]) {
      expect(readFileSync(join(out, file))).toEqual(readFileSync(join(path, file)));
    }
    const { quantization_config: _, ...kept } = JSON.parse(
      readFileSync(join(out, "config.json"), "utf8"),
    );
    expect(kept).toEqual(readModelCase(name).config);
    const loss = await lossOf(out);
    expect(Math.abs(loss - (await lossOf(path)))).toBeLessThan(0.05);

    const decoded = newOutput();
    await exportCheckpoint(out, { format: "hf", dtype: "f32", out: decoded });
    const whole = await bytesOf(decoded);
    expect([...whole.keys()].sort()).toEqual([...before.keys()].sort());
    for (const tower of Object.keys(layout.extra ?? {})) {
      expect(whole.get(tower), tower).toEqual(before.get(tower));
    }
    expect(await lossOf(decoded)).toBeCloseTo(loss, 4);
  });
});

test("what is left out is said once, and sizes count the other parts", async () => {
  const path = await tiny("llava", { extra: clip, rename: wrapped });
  const notices: string[] = [];
  const model = await load(path, { onNotice: (notice) => notices.push(notice) });
  expect(model.architecture).toBe("LLaVA");
  model.release();
  expect(notices).toHaveLength(1);
  expect(notices[0]).toMatch(
    /only the language model .* images are left out; .*: vision_tower, multi_modal_projector$/,
  );
  const { sizes, modelType, tensors } = await inspect(path);
  expect(modelType).toBe("llava");
  expect(sizes.others).toEqual({ parameters: 16 + 768 + 256 + 16 + 512, bytes: 2 * 1568 });
  expect(tensors.filter(({ used }) => !used)).toHaveLength(5);
});

describe("a pattern that names another part", () => {
  const layer = "vision_tower.vision_model.encoder.layers.0.self_attn.q_proj";
  const started = async (patterns: object): Promise<unknown> => {
    const path = await tiny("llava", { extra: clip, rename: wrapped });
    const asked: object = { out: newOutput(), method: "rtn", scheme: "w8g16", ...patterns };
    return quantize(path, asked as QuantizeOptions);
  };

  test.each([layer, "vision_tower*", "re:linear_1"])("%s is refused", async (pattern) => {
    const run = started({ layers: [{ pattern, scheme: "w8g16" }] });
    await expect(run).rejects.toThrow(UsageError);
    await expect(run).rejects.toThrow(
      /fits only layers beside the language model, such as .*no data/,
    );
  });

  test("may be ignored", async () => {
    await expect(started({ ignore: ["vision_tower*", "layers.1.*"] })).resolves.toBeDefined();
  });
});

test.each([
  ["llava", { extra: clip, rename: wrapped }, "Llama", "vision_tower, multi_modal_projector"],
  ["llava-next", { extra: clip }, "Qwen2", "vision_tower, multi_modal_projector"],
  ["qwen2-vl", { extra: visual, rename: plain }, "Qwen2-VL", "visual"],
] as const)(
  "a GGUF file of %s holds its language model, and says so",
  async (name, layout, title, others) => {
    const path = await tiny(name, layout);
    spellWithSpaces(path);
    const out = `${newOutput()}.gguf`;
    const notices: string[] = [];
    const onNotice = (notice: string): unknown => notices.push(notice);
    await exportCheckpoint(path, { format: "gguf", out, onNotice });
    expect(notices.filter((notice) => /mmproj/.test(notice))).toEqual([
      expect.stringContaining(`the language model alone; ${others} are not written`),
    ]);
    const { architecture, sizes } = await inspect(out);
    expect(architecture).toBe(title);
    expect(sizes.linear.weights).toBe((await inspect(path)).sizes.linear.weights);
    const again = `${newOutput()}.gguf`;
    await exportCheckpoint(out, { format: "gguf", out: again });
    expect(await lossOf(again)).toBe(await lossOf(path));
  },
);

test("what a GGUF file has of a model of several parts is verified under its own names", async () => {
  const builtin = new URL("../../builtin/model/", import.meta.url);
  const { config } = readModelCase("llava");
  const text_config = { ...(config["text_config"] as object), vocab_size: 1536 };
  const layout = { extra: clip, rename: wrapped, fitting: true, config: { text_config } };
  const path = await tiny("llava", layout);
  for (const name of ["tokenizer.json", "tokenizer_config.json"]) {
    writeFileSync(join(path, name), readFileSync(new URL(name, builtin)));
  }
  const out = `${newOutput()}.gguf`;
  const result = await exportCheckpoint(path, { format: "gguf", out, verify: true });
  const { parameters, others } = (await inspect(path)).sizes;
  const sameWeights = parameters - (others?.parameters ?? 0);
  expect(sameWeights).toBeLessThan(parameters);
  expect(result).toMatchObject({ verification: { sameWeights } });
});
