import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { attendLayer, KvCache, kvCacheDTypes, writeLayer } from "./kv-cache.ts";

const backend = createReferenceBackend();
const shape = { blocks: 2, kvHeads: 1, headDim: 2 };

function normal(shape: readonly number[], seed: number): Tensor<"f32"> {
  const prng = new Prng(seed);
  const size = shape.reduce((product, n) => product * n, 1);
  const values = Float32Array.from({ length: size }, () => prng.normal());
  return Tensor.from(backend, "f32", shape, values);
}

describe("a key-value cache", () => {
  test.each(kvCacheDTypes)("of %s keeps its rows when it grows", async (dtype) => {
    const cache = new KvCache(backend, { ...shape, batch: 2, dtype, capacity: 2, maxCapacity: 8 });
    const rows = normal([2, 2, 1, 2], 1);
    const q = normal([2, 1, 1, 2], 2);
    const options = { scale: 1, keyLength: 2 };
    writeLayer(cache.layer(1), rows, rows, 0);
    const before = await attendLayer(q, cache.layer(1), options).read();
    cache.advance(2);
    cache.reserve(1);
    expect(cache.capacity).toBe(4);
    expect(await attendLayer(q, cache.layer(1), options).read()).toEqual(before);
  });

  test.each([
    ["f32", 0],
    ["f16", 2 ** -11],
    ["i8", 1 / 254],
    ["i4", 1 / 14],
  ] as const)("of %s is off by at most %f of a head's largest value", async (dtype, share) => {
    const cache = new KvCache(backend, { blocks: 1, kvHeads: 3, headDim: 16, capacity: 1, dtype });
    const rows = normal([1, 1, 3, 16], 3);
    writeLayer(cache.layer(0), rows, rows, 0);
    // With one key, attention gives its value.
    const values = await attendLayer(rows, cache.layer(0), { scale: 1, keyLength: 1 }).read();
    const exact = await rows.read();
    for (let head = 0; head < 3; head++) {
      const part = exact.subarray(head * 16, (head + 1) * 16);
      const room = share * 1.0001 * Math.max(...part.map(Math.abs));
      part.forEach((x, i) => {
        expect(Math.abs(values[head * 16 + i] - x)).toBeLessThanOrEqual(room);
      });
    }
  });

  test.each(kvCacheDTypes)("of %s says whether it holds what was written", async (dtype) => {
    const cache = new KvCache(backend, { ...shape, batch: 2, dtype, capacity: 4 });
    const rows = (value: number) =>
      Tensor.from(backend, "f32", [2, 1, 1, 2], Float32Array.of(1, 2, value, 3));
    const written = [65504, 1e5, 1];
    for (const [position, value] of written.entries()) {
      writeLayer(cache.layer(1), rows(1), rows(value), position);
      cache.advance(1);
    }
    const found = [0, 1, 2].map((position) => cache.overflows(position));
    const isHalf = dtype === "f16";
    expect(await Promise.all(found)).toEqual([isHalf, isHalf, false]);
  });

  test("of float16 says so of a token behind hundreds of others", async () => {
    const cache = new KvCache(backend, { ...shape, dtype: "f16", capacity: 600 });
    const rows = Tensor.from(backend, "f32", [1, 600, 1, 2], new Float32Array(1200).fill(1));
    writeLayer(cache.layer(0), rows, rows, 0);
    cache.advance(600);
    expect(await cache.overflows(0)).toBe(false);
    const large = Tensor.from(backend, "f32", [1, 1, 1, 2], Float32Array.of(1, 1e5));
    writeLayer(cache.layer(0), large, large, 530);
    expect(await cache.overflows(0)).toBe(true);
    expect(await cache.overflows(531)).toBe(false);
  });

  test("refuses to grow beyond its limit", () => {
    const cache = new KvCache(backend, { ...shape, capacity: 2, maxCapacity: 3 });
    cache.reserve(3);
    cache.advance(3);
    expect(() => cache.reserve(1)).toThrow(UsageError);
  });

  test.each([
    ["f32", 4 * 2],
    ["f16", 2 * 2],
    ["i8", 1 * 2 + 4],
    ["i4", 1 + 4],
  ] as const)("of %s counts two tensors a block, %i bytes a token and head", (dtype, bytes) => {
    const cache = new KvCache(backend, { ...shape, batch: 3, capacity: 5, dtype });
    expect(cache.sizeBytes).toBe(2 * 2 * (3 * 5 * 1) * bytes);
  });

  test("a shorter length makes room again", () => {
    const cache = new KvCache(backend, { ...shape, capacity: 4 });
    cache.advance(4);
    cache.truncate(1);
    cache.reserve(3);
    expect(cache.length).toBe(1);
  });
});
