import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import {
  ggmlBytes,
  ggmlFormats,
  type GgmlType,
  randomBlocks,
} from "../bench/models/gguf-blocks.ts";
import { encodeHeader, writeRandomGguf } from "../bench/models/gguf-writer.ts";
import { ggufBytesPerToken, writeRandomLlamaGguf } from "../bench/models/random-gguf.ts";
import { halfBitsToFloat } from "../src/util/half.ts";

/** Decoders of one block, written from the layouts, apart from the code that makes the blocks. */
const decoders: Partial<Record<GgmlType, (block: DataView) => number[]>> = {
  Q4_0: (b) =>
    range(32).map((e) => {
      const byte = b.getUint8(2 + (e % 16));
      return half(b, 0) * ((e < 16 ? byte & 15 : byte >> 4) - 8);
    }),
  Q8_0: (b) => range(32).map((e) => half(b, 0) * b.getInt8(2 + e)),
  Q2_K: (b) =>
    range(256).map((e) => {
      const shift = 2 * Math.floor((e % 128) / 32);
      const q = (b.getUint8(16 + 32 * Math.floor(e / 128) + (e % 32)) >> shift) & 3;
      const scales = b.getUint8(Math.floor(e / 16));
      return half(b, 80) * (scales & 15) * q - half(b, 82) * (scales >> 4);
    }),
  Q6_K: (b) =>
    range(256).map((e) => {
      const [h, quarter, l] = [e >> 7, (e % 128) >> 5, e % 32];
      const low = b.getUint8(64 * h + l + 32 * (quarter % 2)) >> (quarter < 2 ? 0 : 4);
      const high = (b.getUint8(128 + 32 * h + l) >> (2 * quarter)) & 3;
      return half(b, 208) * b.getInt8(192 + (e >> 4)) * (((low & 15) | (high << 4)) - 32);
    }),
  TQ2_0: (b) =>
    range(256).map((e) => {
      const shift = 2 * ((e % 128) >> 5);
      return half(b, 64) * (((b.getUint8(32 * (e >> 7) + (e % 32)) >> shift) & 3) - 1);
    }),
};

function half(block: DataView, offset: number): number {
  return halfBitsToFloat(block.getUint16(offset, true));
}

function range(count: number): number[] {
  return Array.from({ length: count }, (_, i) => i);
}

describe("random GGUF models of the benchmark", () => {
  test.each(Object.keys(decoders) as GgmlType[])(
    "%s weights have mean 0 and deviation 0.02",
    (type) => {
      const { bytes } = ggmlFormats[type];
      const blocks = randomBlocks(type, 400, 1);
      const weights = range(400).flatMap(
        (i) => decoders[type]?.(new DataView(blocks.buffer, i * bytes, bytes)) ?? [],
      );
      const mean = weights.reduce((sum, w) => sum + w, 0) / weights.length;
      const deviation = Math.sqrt(weights.reduce((sum, w) => sum + w * w, 0) / weights.length);
      expect(Math.abs(mean)).toBeLessThan(0.001);
      expect(deviation).toBeGreaterThan(0.018);
      expect(deviation).toBeLessThan(0.022);
    },
  );

  test("the header is the bytes that the format asks for", () => {
    const header = encodeHeader({ a: { type: "u32", value: 7 } }, [
      { name: "t", type: "Q4_0", shape: [2, 64] },
    ]);
    const u32 = (value: number): number[] => [value, 0, 0, 0];
    const u64 = (value: number): number[] => [...u32(value), 0, 0, 0, 0];
    const key = [...u64(1), 97, ...u32(4), ...u32(7)];
    const tensor = [...u64(1), 116, ...u32(2), ...u64(64), ...u64(2), ...u32(2), ...u64(0)];
    const bytes = [71, 71, 85, 70, ...u32(3), ...u64(1), ...u64(1), ...key, ...tensor];
    expect([...header.subarray(0, bytes.length)]).toEqual(bytes);
    expect(header.length).toBe(Math.ceil(bytes.length / 32) * 32);
  });

  test("tensors lie one after the other, each at a multiple of 32 bytes", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-gguf-"));
    try {
      const path = join(folder, "model.gguf");
      const tensors = [
        { name: "a", type: "F32", shape: [3] },
        { name: "b", type: "Q8_0", shape: [5, 32] },
      ] as const;
      const size = await writeRandomGguf(path, {}, tensors);
      const data = readFileSync(path);
      const start = encodeHeader({}, tensors).length;
      expect(data.length).toBe(size);
      expect(size).toBe(start + 32 + 192);
      expect([0, 4, 8].map((at) => data.readFloatLE(start + at))).toEqual([1, 1, 1]);
      expect(ggmlBytes("Q8_0", 160)).toBe(170);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });

  test("a decode step reads all tensors of a model but its embedding", async () => {
    const folder = mkdtempSync(join(tmpdir(), "fewbit-gguf-"));
    try {
      const shape = {
        architectures: ["LlamaForCausalLM"],
        model_type: "llama",
        hidden_size: 256,
        intermediate_size: 512,
        num_hidden_layers: 2,
        num_attention_heads: 4,
        num_key_value_heads: 2,
        vocab_size: 512,
        max_position_embeddings: 64,
      };
      const types = { weights: "Q2_K", head: "Q4_0" } as const;
      const size = await writeRandomLlamaGguf(join(folder, "model.gguf"), shape, types);
      const read = ggufBytesPerToken(shape, types);
      const linears = 2 * (2 * 256 * 256 + 2 * 128 * 256 + 3 * 256 * 512);
      expect(read).toBe((linears / 256) * 84 + 5 * 256 * 4 + ((512 * 256) / 32) * 18);
      expect(size).toBeGreaterThan(read + ((512 * 256) / 256) * 84);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
