import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openCheckpoint } from "../../src/formats/checkpoint.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import { readFloatTensor } from "../../src/formats/read-float-tensor.ts";
import {
  exportCheckpoint,
  inspect,
  type PipelineEvent,
  parseScheme,
  planQuantization,
  quantize,
} from "../../src/index.ts";
import { estimateMatrixMemory } from "../../src/quantize/estimate-memory.ts";
import type { Shape } from "../../src/tensor/shape.ts";
import { novel, novelRtn } from "../fixtures/novel-checkpoint.ts";
import { writePlainCheckpoint } from "../fixtures/plain-checkpoint.ts";
import { fewbitHere } from "./cli-process.ts";
import { refusal, run } from "./generic-runs.ts";
import { changesOf, filesOf, find, killAt, recordOf } from "./killed-runs.ts";
import { temporaryFolder } from "./shared-models.ts";

/* Models that fewbit cannot run, quantized by what their tensors look like (`generic`). */

const inFolder = temporaryFolder();

async function bytesOf(path: string, name: string): Promise<Uint8Array> {
  const checkpoint = await openCheckpoint(path, { storedNames: true });
  try {
    const { begin, end } = checkpoint.info(name);
    const bytes = new Uint8Array(end - begin);
    await checkpoint.readInto(name, bytes, 0);
    return bytes;
  } finally {
    await checkpoint.close();
  }
}

let path = "";
let remove: () => Promise<void> = async () => {};
beforeAll(async () => {
  ({ path, remove } = await writePlainCheckpoint(novel));
});
afterAll(() => remove());

describe("an architecture that fewbit does not know", () => {
  test("is refused without `generic`, which the hint names", async () => {
    const error = await refusal(
      run(path, { ...novelRtn, generic: false, out: inFolder("refused") }),
    );
    expect(error).toMatchObject({ code: "UNSUPPORTED" });
    expect(String((error as { hint?: string }).hint)).toContain("`generic`");
    const args = ["quantize", path, "--method", "rtn", "--scheme", "w4", "--out", inFolder("x")];
    const { code, stderr } = await fewbitHere(args);
    expect(code).toBe(1);
    expect(stderr).toContain("--generic quantizes its weights without running it");
  });

  test("is quantized, and what is no linear layer stays as it is, byte for byte", async () => {
    const out = inFolder("novel");
    const record = await run(path, { ...novelRtn, out });
    const modules = record.linears.map(({ module }) => module);
    const ofBlock = (i: number): string[] => [
      ...["in_proj", "out_proj"].map((name) => `model.layers.${i}.mixer.${name}`),
      ...["gate_up_proj", "down_proj"].flatMap((name) =>
        [0, 1, 2, 3].map((expert) => `model.layers.${i}.mlp.experts.${name}.${expert}`),
      ),
    ];
    expect(new Set(modules)).toEqual(new Set([...ofBlock(0), ...ofBlock(1)]));
    for (const { errorOf, relativeError } of record.linears) {
      expect(errorOf).toBe("weights");
      expect(relativeError).toBeGreaterThan(1e-4);
      expect(relativeError).toBeLessThan(0.01);
    }
    expect(record.recipe.generic).toBe(true);
    const kept = Object.keys(novel.tensors).filter(
      (name) => !/mixer\.(?:in|out)_proj|experts/.test(name),
    );
    expect(kept).toHaveLength(13);
    for (const name of kept) {
      expect(await bytesOf(out, name), name).toEqual(await bytesOf(path, name));
    }
  });

  test("keeps its code and small files, and its config.json as it was", async () => {
    const out = inFolder("novel-files");
    await run(path, { ...novelRtn, out });
    for (const name of ["modeling_novel.py", "tokenizer.json", "preprocessor_config.json"]) {
      expect(readFileSync(join(out, name))).toEqual(readFileSync(join(path, name)));
    }
    expect(existsSync(join(out, "README.md"))).toBe(false);
    expect(existsSync(join(out, "pytorch_model.bin"))).toBe(false);
    const { quantization_config: quantization, ...config } = JSON.parse(
      readFileSync(join(out, "config.json"), "utf8"),
    );
    expect(config).toEqual(novel.config);
    expect(quantization).toMatchObject({ method: "rtn", generic: true, scheme: "w4g32" });
    expect(quantization.stacks).toEqual({
      "model.layers.0.mlp.experts.gate_up_proj": { matrices: 4, transposed: true },
      "model.layers.0.mlp.experts.down_proj": { matrices: 4, transposed: true },
      "model.layers.1.mlp.experts.gate_up_proj": { matrices: 4, transposed: true },
      "model.layers.1.mlp.experts.down_proj": { matrices: 4, transposed: true },
    });
  });

  test("is decoded for other programs in its own form by an export as `hf`", async () => {
    const [out, plain] = [inFolder("packed"), inFolder("plain")];
    await run(path, { ...novelRtn, out });
    await exportCheckpoint(out, { format: "hf", out: plain });
    const exported = await openCheckpoint(plain, { storedNames: true });
    const original = await openCheckpoint(path, { storedNames: true });
    try {
      const shapesOf = ({ tensors }: typeof original): Map<string, Shape> =>
        new Map([...tensors.values()].map(({ name, shape }) => [name, shape]));
      expect(shapesOf(exported)).toEqual(shapesOf(original));
      for (const { name } of exported.tensors.values()) {
        if (name === "model.positions") continue;
        const [{ values }, { values: before }] = [
          await readFloatTensor(exported, name),
          await readFloatTensor(original, name),
        ];
        // Values lie in [−1, 1), and a step of 4 bits is at most 2/15.
        const farthest = values.reduce((far, v, i) => Math.max(far, Math.abs(v - before[i])), 0);
        expect(farthest, name).toBeLessThan(0.08);
      }
    } finally {
      await Promise.all([exported.close(), original.close()]);
    }
    expect(existsSync(join(plain, "modeling_novel.py"))).toBe(true);
    const error = await refusal(exportCheckpoint(out, { format: "gguf", out: `${plain}.gguf` }));
    expect(error).toMatchObject({ code: "UNSUPPORTED" });
  });

  test("is inspected, and cannot be run: the error says what to do instead", async () => {
    const out = inFolder("inspected");
    await run(path, { ...novelRtn, out });
    const inspection = await inspect(out);
    expect(inspection).toMatchObject({
      modelType: "novel",
      architecture: "NovelForCausalLM",
      config: null,
      blocks: 2,
      quantization: { scheme: "w4g32", methods: ["rtn"], schemes: { w4g32: 20 } },
    });
    expect(inspection.sizes.linear.layers).toBe(20);
    expect(inspection.bitsPerWeight.linear).toBeLessThan(6);
    for (const command of [
      ["run", out, "--prompt", "x"],
      ["eval", out, "--text", join(path, "README.md")],
    ]) {
      const { code, stderr } = await fewbitHere(command);
      expect(code).toBe(1);
      expect(stderr).toContain("fewbit cannot run it");
      expect(stderr).toContain("export it with `format: hf`");
    }
    const shown = await fewbitHere(["inspect", out]);
    expect(shown.stdout).toContain("20 linear layers in w4g32");
    expect(shown.stdout).toContain("NovelForCausalLM (novel)");
  });

  test("has the experts of a stack quantized as those that lie alone", async () => {
    const alone = await writePlainCheckpoint({
      config: novel.config,
      tensors: Object.fromEntries(
        [0, 1, 2, 3].map((e) => [`model.layers.0.mlp.experts.${e}.up_proj.weight`, [80, 64]]),
      ),
    });
    const single = await openCheckpoint(alone.path);
    const matrices = await Promise.all(
      [0, 1, 2, 3].map((e) =>
        readFloatTensor(single, `model.layers.0.mlp.experts.${e}.up_proj.weight`),
      ),
    );
    await single.close();
    const name = "model.layers.0.mlp.experts.up_proj";
    const stacks = await Promise.all(
      [false, true].map((transposed) => {
        const flat = matrices.flatMap(({ values }) => [
          ...(transposed ? turned(values, 80, 64) : values),
        ]);
        return writePlainCheckpoint({
          config: novel.config,
          tensors: { [name]: transposed ? [4, 64, 80] : [4, 80, 64] },
          values: { [name]: Float32Array.from(flat) },
        });
      }),
    );
    for (const scheme of ["w3g32", "w1-svid"] as const) {
      const method = scheme === "w3g32" ? "rtn" : "svid";
      const expected = inFolder(`alone-${scheme}`);
      await run(alone.path, { method, scheme, generic: true, out: expected });
      for (const [i, stack] of stacks.entries()) {
        const out = inFolder(`stack-${scheme}-${i}`);
        await run(stack.path, { method, scheme, generic: true, out });
        for (const expert of [0, 1, 2, 3]) {
          const parts = scheme === "w3g32" ? ["codes", "scales", "zeros"] : ["codes", "scales"];
          for (const part of parts) {
            expect(await bytesOf(out, `${name}.${expert}.${part}`)).toEqual(
              await bytesOf(expected, `model.layers.0.mlp.experts.${expert}.up_proj.${part}`),
            );
          }
        }
      }
    }
    await Promise.all([alone, ...stacks].map((each) => each.remove()));
  });
});

/** The transpose of a matrix `[rows, columns]`. */
function turned(values: Float32Array, rows: number, columns: number): Float32Array {
  return values.map((_, i) => values[(i % rows) * columns + Math.floor(i / rows)]);
}

describe("what becomes of each tensor", () => {
  test("is told by the plan, with reasons, before any work", async () => {
    const { linears, kept, blocks, estimate } = await planQuantization(path, {
      ...novelRtn,
      out: inFolder("planned"),
    });
    expect(linears).toHaveLength(20);
    expect(blocks).toBe(2);
    const reasons = new Map(kept?.map(({ name, reason }) => [name, reason]));
    expect(Object.fromEntries(reasons)).toMatchObject({
      "model.embed_tokens.weight": "embedding",
      "lm_head.weight": "head",
      "model.layers.0.mlp.gate.weight": "router of experts",
      "model.layers.0.mixer.conv1d.weight": "3 dimensions",
      "model.norm.weight": "vector",
      "model.positions": "I64 values",
      "visual.blocks.0.qkv.weight": "tower for images or sound",
    });
    expect(reasons.size).toBe(13);
    const out = inFolder("as-planned");
    const { sizeBytes } = await run(path, { ...novelRtn, out });
    // Headers are not counted.
    expect(sizeBytes - estimate.outputBytes).toBeGreaterThan(0);
    expect(sizeBytes - estimate.outputBytes).toBeLessThan(20_000);
    expect(existsSync(inFolder("planned"))).toBe(false);
  });

  test("is a table of `--dry-run`", async () => {
    const args = ["quantize", path, "--generic", "--method", "rtn", "--scheme", "w4g32"];
    const { code, stdout } = await fewbitHere([...args, "--out", inFolder("dry"), "--dry-run"]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/model\.layers\.\*\.mixer\.in_proj +2 +96 × 64 .*w4g32/);
    expect(stdout).toMatch(/model\.layers\.\*\.mlp\.gate\.weight +2 .*kept: router of experts/);
    expect(existsSync(inFolder("dry"))).toBe(false);
  });

  test("follows patterns: some are ignored, some have schemes, a tower is named", async () => {
    const { linears, ends, kept } = await planQuantization(path, {
      ...novelRtn,
      ignore: ["layers.0.*"],
      layers: [
        { pattern: "visual.*", scheme: "w8" },
        { pattern: "*.mixer.out_proj", scheme: "w2g16" },
      ],
      head: "w8",
      out: inFolder("patterns"),
    });
    const schemes = Object.fromEntries(linears.map((l) => [l.module, l.scheme?.id ?? null]));
    expect(schemes["visual.blocks.0.qkv"]).toBe("w8");
    expect(schemes["model.layers.1.mixer.out_proj"]).toBe("w2g16");
    expect(schemes["model.layers.1.mixer.in_proj"]).toBe("w4g32");
    expect(schemes["model.layers.0.mixer.in_proj"]).toBeNull();
    expect(schemes["model.layers.1.mlp.experts.down_proj.3"]).toBe("w4g32");
    const ignored = kept?.filter(({ reason }) => reason === "ignored").map(({ name }) => name);
    expect(ignored).toHaveLength(4);
    expect(ends.find(({ module }) => module === "lm_head")?.scheme?.id).toBe("w8");
  });

  test("needs memory for the largest matrix, however many there are in a block", () => {
    const matrix = { module: "m", block: 0, slot: "m", scheme: parseScheme("w4g32") };
    const large = { ...matrix, outFeatures: 4096, inFeatures: 4096 };
    const one = estimateMatrixMemory([large]);
    expect(estimateMatrixMemory([large, large, large])).toBe(one);
    // At least what a matrix, its decoded values and a copy for the error take in float32.
    expect(one).toBeGreaterThan(12 * 4096 ** 2);
    expect(estimateMatrixMemory([{ ...large, outFeatures: 8192 }])).toBeGreaterThan(one * 1.5);
  });
});

test("a run that is killed resumes after its finished blocks, to the same bytes", async () => {
  const args = (out: string): string[] => [
    "quantize",
    path,
    "--generic",
    "--method",
    "rtn",
    "--scheme",
    "w4g32",
    "--out",
    out,
  ];
  const [whole, killed] = [inFolder("whole"), inFolder("killed")];
  const changes = await changesOf(args(whole), inFolder("changes"));
  // The first line of the journal is its head, the second the first block.
  const second = find(changes, /^write journal/, 3);
  expect((await killAt(args(killed), second)).code).toBeNull();
  expect(existsSync(killed)).toBe(false);
  const { code, stderr } = await fewbitHere(args(killed));
  expect(code, stderr).toBe(0);
  expect(stderr).toContain("resuming after block 1 of 2");
  expect(filesOf(killed)).toEqual(filesOf(whole));
  expect(recordOf(killed)).toMatchObject({ resumptions: [{ blocks: 1 }] });
  const modulesOf = (out: string): string[] =>
    recordOf(out).linears.map(({ module }: { module: string }) => module);
  expect(modulesOf(killed)).toEqual(modulesOf(whole));
  const again = await fewbitHere(args(killed));
  expect(again.stderr).toContain("nothing was left to do");
});

test("events tell blocks, weights and the end", async () => {
  const seen = new Map<PipelineEvent["type"], number>();
  const made = quantize(path, { ...novelRtn, out: inFolder("events") });
  for await (const { type } of made.events) seen.set(type, (seen.get(type) ?? 0) + 1);
  await made;
  expect(Object.fromEntries(seen)).toMatchObject({ plan: 1, linear: 20, block: 2, done: 1 });
});

test("weights in bfloat16 are quantized by their values", async () => {
  const out = inFolder("bf16");
  await run(path, { ...novelRtn, scheme: "w8g32", out });
  const name = "model.layers.0.mixer.in_proj";
  const [made, original] = [await openCheckpoint(out), await openCheckpoint(path)];
  const module = readQuantizationConfig(made.config)?.modules.get(name);
  if (!module) throw new Error("it was not quantized");
  const decoded = (await readQTensor(made, name, module)).dequantize();
  const { values } = await readFloatTensor(original, `${name}.weight`);
  for (const [i, value] of values.entries()) expect(decoded[i]).toBeCloseTo(value, 2);
  await Promise.all([made.close(), original.close()]);
});
