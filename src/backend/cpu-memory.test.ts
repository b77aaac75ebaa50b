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
});
