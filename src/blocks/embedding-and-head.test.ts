import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { openCheckpoint } from "../formats/checkpoint.ts";
import { CancelledError, exportCheckpoint, inspect, load, quantize, UsageError } from "../index.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { Embedding } from "../nn/embedding.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { parseScheme } from "../quant/scheme.ts";
import { Tensor } from "../tensor/tensor.ts";
import { quantizeVocabularyTable, selectEmbeddingAndHead } from "./embedding-and-head.ts";

const backend = "reference";
let folder = "";
let tied: TinyCheckpoint;
let untied: TinyCheckpoint;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "fewbit-ends-"));
  tied = await writeTinyCheckpoint();
  untied = await writeTinyCheckpoint({ modelCase: "llama" });
});
afterAll(async () => {
  await Promise.all([rm(folder, { recursive: true }), tied.remove(), untied.remove()]);
});
const at = (name: string): string => join(folder, name);
const rtn = { method: "rtn", scheme: "w4g32", backend } as const;

/** Logits of one prompt. */
async function logitsOf(path: string): Promise<Float32Array> {
  const model = await load(path, { backend });
  try {
    const hidden = model.hiddenStates(model.tokens([[1, 5, 9, 2]]));
    return await model.logits(hidden.reshape([4, model.config.hiddenSize])).read();
  } finally {
    model.release();
  }
}

describe("embedding and output head", () => {
  test("have schemes of their own, and the record and the file say so", async () => {
    const out = at("own");
    const { record } = await quantize(untied.path, {
      ...rtn,
      embedding: "w8",
      head: "w4g32",
      out,
    });
    expect(record.ends.map(({ module, roles, scheme }) => ({ module, roles, scheme }))).toEqual([
      { module: "model.embed_tokens", roles: ["embedding"], scheme: "w8" },
      { module: "lm_head", roles: ["head"], scheme: "w4g32" },
    ]);
    expect(record.ends[0].relativeError).toBeLessThan(1e-3);
    expect(record.ends[1].relativeError).toBeLessThan(0.02);
    const { quantization } = await inspect(out);
    const schemes = new Map(quantization?.modules.map(({ module, scheme }) => [module, scheme]));
    expect(schemes.get("model.embed_tokens")).toBe("w8");
    expect(schemes.get("lm_head")).toBe("w4g32");
  });

  test("are packed as one when they are tied, by either option", async () => {
    for (const [name, option] of [
      ["by-embedding", { embedding: "w8" }],
      ["by-head", { head: "w8" }],
    ] as const) {
      const { record } = await quantize(tied.path, { ...rtn, ...option, out: at(name) });
      expect(record.ends.map(({ roles }) => roles)).toEqual([["embedding", "head"]]);
    }
    const weights = (name: string) => readFile(join(at(name), "model.safetensors"));
    expect(await weights("by-head")).toEqual(await weights("by-embedding"));
  });

  test("give the same logits packed as decoded", async () => {
    for (const [name, path] of [
      ["tied", tied.path],
      ["untied", untied.path],
    ] as const) {
      const out = at(`${name}-w4`);
      await quantize(path, { ...rtn, embedding: "w4g32", head: "w4g32", out });
      await exportCheckpoint(out, { format: "hf", out: at(`${name}-plain`) });
      const packed = await logitsOf(out);
      const plain = await logitsOf(at(`${name}-plain`));
      const largest = plain.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
      for (const [i, value] of packed.entries()) {
        expect(Math.abs(value - plain[i])).toBeLessThan(1e-5 * largest);
      }
    }
  });

  test("have 8 bits unless a scheme is given, and stay as they are with f16", async () => {
    const { record } = await quantize(untied.path, { ...rtn, out: at("usual") });
    expect(record.ends.map(({ scheme }) => scheme)).toEqual(["w8g64-sym", "w8g64-sym"]);
    const kept = { ...rtn, embedding: "f16", head: "f16", out: at("kept") };
    expect((await quantize(untied.path, kept)).record.ends).toEqual([]);
    const { tensors } = await inspect(at("kept"));
    expect(tensors.map(({ name }) => name)).toContain("model.embed_tokens.weight");
  });

  test("calibration sees the embedding that is stored", async () => {
    const text = { ...rtn, method: "gptq", calibration: { selfGenerated: true } } as const;
    const sizes = { samples: 2, window: 8 };
    const with2Bits = { ...text, ...sizes, embedding: "w2", out: at("gptq-w2") } as const;
    const { record } = await quantize(untied.path, with2Bits);
    const usual = await quantize(untied.path, { ...text, ...sizes, out: at("gptq-usual") });
    expect(record.linears[0].relativeError).not.toBe(usual.record.linears[0].relativeError);
  });

  test("a tied table cannot have two schemes", () => {
    const ends = [
      { module: "m", roles: ["embedding", "head"], outFeatures: 4, inFeatures: 8 },
    ] as const;
    expect(() => selectEmbeddingAndHead(ends, { embedding: "w8", head: "w4" })).toThrow(UsageError);
    expect(selectEmbeddingAndHead(ends, { embedding: "w8", head: "w8" })[0].scheme?.id).toBe("w8");
  });
});

test.each(["w1", "w1.58g32", "w2g16", "w3g8", "w4", "w8g32", "q4_1", "q8_0"])(
  "%s: a table quantized in pieces has the bytes of one quantized whole",
  async (id) => {
    const scheme = parseScheme(id);
    const checkpoint = await openCheckpoint(untied.path);
    const [outFeatures, inFeatures] = checkpoint.info("lm_head.weight").shape;
    expect(outFeatures).toBeGreaterThan(32);
    const end = { module: "lm_head", roles: ["head"], outFeatures, inFeatures, scheme } as const;
    const inPieces = async (pieceWeights: number) => {
      const sizes = QTensor.sizes(scheme, outFeatures, inFeatures);
      const bytes = {
        blocks: new Uint8Array(sizes.blocks),
        codes: new Uint8Array(sizes.codes),
        scales: new Uint8Array(sizes.scales),
        zeros: new Uint8Array(sizes.zeros),
      };
      let pieces = 0;
      await quantizeVocabularyTable(end, scheme, {
        backend: createReferenceBackend(),
        checkpoint,
        pieceWeights,
        onRows: async (firstRow, { parts }) => {
          pieces++;
          const before = QTensor.sizes(scheme, firstRow, inFeatures);
          for (const part of ["blocks", "codes", "scales", "zeros"] as const) {
            const data = parts[part];
            if (!data) continue;
            const piece = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
            bytes[part].set(piece, before[part]);
          }
        },
      });
      return { pieces, bytes };
    };
    const whole = await inPieces(2 ** 20);
    const cut = await inPieces(1);
    await checkpoint.close();
    expect(whole.pieces).toBe(1);
    expect(cut.pieces).toBe(Math.ceil(outFeatures / 32));
    expect(cut.bytes).toEqual(whole.bytes);
  },
);

test("a run that was stopped after the tables resumes with them, to the same bytes", async () => {
  const options = { ...rtn, embedding: "q8_0", head: "w4g32" } as const;
  await quantize(untied.path, { ...options, out: at("undisturbed") });
  const controller = new AbortController();
  const out = at("stopped");
  const first = quantize(untied.path, { ...options, out, signal: controller.signal });
  for await (const event of first.events) if (event.type === "block") controller.abort();
  await expect(first).rejects.toThrow(CancelledError);
  const { record } = await quantize(untied.path, { ...options, out });
  expect(record.resumptions).toHaveLength(1);
  expect(record.ends).toHaveLength(2);
  for (const name of ["model.safetensors", "config.json"]) {
    expect(await readFile(join(out, name))).toEqual(await readFile(join(at("undisturbed"), name)));
  }
});

test("rows of a packed table are looked up exactly as the whole table decodes", async () => {
  const reference = createReferenceBackend();
  const scheme = parseScheme("w4g8");
  const codes = Uint8Array.from({ length: 7 * 24 }, (_, i) => (i * 5) % 16);
  const scales = Uint16Array.from({ length: 21 }, (_, i) => 0x2c00 + 37 * i);
  const zeros = Uint8Array.from({ length: 21 }, (_, i) => i % 16);
  const table = QTensor.pack(scheme, { outFeatures: 7, inFeatures: 24, codes, scales, zeros });
  const ids = Tensor.from(reference, "i32", [3], Int32Array.of(6, 0, 6));
  const rows = await new Embedding(reference, table).lookUp(ids).read();
  const whole = table.dequantize();
  const row = (id: number): number[] => [...whole.subarray(id * 24, (id + 1) * 24)];
  expect([...rows]).toEqual([...row(6), ...row(0), ...row(6)]);
});
