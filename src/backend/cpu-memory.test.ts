import { describe, expect, test } from "vitest";
import { CpuMemory } from "./cpu-memory.ts";

describe("memory of the CPU backends", () => {
  test("a released buffer is handed out again for the same size", () => {
    const memory = new CpuMemory();
    const first = memory.allocate("f32", 100) as Float32Array;
    memory.release(first);
    expect((memory.allocate("i32", 97) as Int32Array).buffer).toBe(first.buffer);
  });

  test("a second release of the same storage does not take the bytes from their new owner", () => {
    const memory = new CpuMemory();
    const first = memory.allocate("f32", 16) as Float32Array;
    memory.release(first);
    const second = memory.allocate("f32", 16) as Float32Array;
    memory.release(first);
    expect((memory.allocate("f32", 16) as Float32Array).buffer).not.toBe(second.buffer);
  });

  test("adopted arrays are never handed out", () => {
    const memory = new CpuMemory();
    const adopted = new Float32Array(16);
    memory.release(adopted);
    expect((memory.allocate("f32", 16) as Float32Array).buffer).not.toBe(adopted.buffer);
  });

  test("all buffers of a step are there for the next one, however large", () => {
    const memory = new CpuMemory();
    const step = (): ArrayBufferLike[] => {
      const arrays = [27, 27, 26].map((log) => memory.allocate("u8", 2 ** log) as Uint8Array);
      for (const array of arrays) memory.release(array);
      return arrays.map(({ buffer }) => buffer);
    };
    const first = step();
    expect(step().every((buffer) => first.includes(buffer))).toBe(true);
  });

  test("sizes that nobody asks for any more are let go", () => {
    const memory = new CpuMemory();
    const lend = (bytes: number): ArrayBufferLike => {
      const array = memory.allocate("u8", bytes) as Uint8Array;
      memory.release(array);
      return array.buffer;
    };
    const first = lend(2 ** 28);
    expect(lend(2 ** 28) === first).toBe(true);
    for (const bytes of [2 ** 27, 2 ** 26, 2 ** 25, 2 ** 28 - 64]) lend(bytes);
    expect(lend(2 ** 28) === first).toBe(false);
  });
});
