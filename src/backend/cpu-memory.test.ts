import { describe, expect, test } from "vitest";
import { CpuMemory } from "./cpu-memory.ts";

describe("memory of the CPU backends", () => {
  test("a released buffer is handed out again for the same size", () => {
    const memory = new CpuMemory();
    const first = memory.allocate("f32", 100) as Float32Array;
    memory.release(first);
    expect((memory.allocate("i32", 97) as Int32Array).buffer).toBe(first.buffer);
  });

  test("a released buffer serves for less, down to a half, but no further", () => {
    const memory = new CpuMemory();
    const first = memory.allocate("u8", 1024) as Uint8Array;
    memory.release(first);
    const half = memory.allocate("u8", 512) as Uint8Array;
    expect([half.buffer === first.buffer, half.length]).toEqual([true, 512]);
    memory.release(half);
    expect((memory.allocate("u8", 448) as Uint8Array).buffer).not.toBe(first.buffer);
    expect((memory.allocate("u8", 1024) as Uint8Array).buffer).toBe(first.buffer);
  });

  test("of the buffers that serve, the smallest is taken", () => {
    const memory = new CpuMemory();
    const lent = [1024, 640, 768].map((bytes) => memory.allocate("u8", bytes) as Uint8Array);
    for (const array of lent) memory.release(array);
    expect((memory.allocate("u8", 576) as Uint8Array).buffer).toBe(lent[1].buffer);
    expect((memory.allocate("u8", 576) as Uint8Array).buffer).toBe(lent[2].buffer);
  });

  test("sizes that grow leave no trail of buffers", () => {
    const memory = new CpuMemory();
    const buffers = new Set<ArrayBufferLike>();
    const lend = (bytes: number): ArrayBufferLike => {
      const array = memory.allocate("u8", bytes) as Uint8Array;
      memory.release(array);
      return array.buffer;
    };
    for (let bytes = 1024; bytes <= 4096; bytes += 64) buffers.add(lend(bytes));
    expect(buffers.size).toBe(49);
    // Down again, only the last of them and one of half its size serve all.
    for (let bytes = 4096; bytes >= 1024; bytes -= 64) buffers.add(lend(bytes));
    expect(buffers.size).toBe(50);
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

  test("idle buffers make room for one that is as large as they are together", () => {
    const memory = new CpuMemory();
    const lend = (bytes: number): Uint8Array => memory.allocate("u8", bytes) as Uint8Array;
    const pass = [25, 25, 26].map((log) => lend(2 ** log));
    for (const array of pass) memory.release(array);
    lend(3 * 2 ** 27);
    const buffers = [25, 25, 26].map((log) => lend(2 ** log).buffer);
    expect(buffers.some((buffer) => pass.some((array) => array.buffer === buffer))).toBe(false);
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
    for (const bytes of [2 ** 27 - 64, 2 ** 26 - 64, 2 ** 25 - 64, 2 ** 29]) lend(bytes);
    expect(lend(2 ** 28) === first).toBe(false);
  });
});
