import { describe, expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { writeRows } from "../tensor/ops.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";
import { KvCache } from "./kv-cache.ts";

const backend = createReferenceBackend();
const shape = { blocks: 2, kvHeads: 1, headDim: 2 };

describe("a key-value cache", () => {
  test("keeps its rows when it grows", async () => {
    const cache = new KvCache(backend, { ...shape, capacity: 2, maxCapacity: 8 });
    const rows = Tensor.from(backend, "f32", [1, 2, 1, 2], Float32Array.of(1, 2, 3, 4));
    writeRows(cache.layer(1).keys, rows, 0);
    cache.advance(2);
    cache.reserve(1);
    expect(cache.capacity).toBe(4);
    const keys = await cache.layer(1).keys.read();
    expect([...keys.subarray(0, 4)]).toEqual([1, 2, 3, 4]);
  });

  test("refuses to grow beyond its limit", () => {
    const cache = new KvCache(backend, { ...shape, capacity: 2, maxCapacity: 3 });
    cache.reserve(3);
    cache.advance(3);
    expect(() => cache.reserve(1)).toThrow(UsageError);
  });

  test("counts two float32 tensors a block", () => {
    const cache = new KvCache(backend, { ...shape, batch: 3, capacity: 5 });
    expect(cache.sizeBytes).toBe(2 * 2 * 4 * (3 * 5 * 1 * 2));
  });

  test("a shorter length makes room again", () => {
    const cache = new KvCache(backend, { ...shape, capacity: 4 });
    cache.advance(4);
    cache.truncate(1);
    cache.reserve(3);
    expect(cache.length).toBe(1);
  });
});
