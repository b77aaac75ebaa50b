import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { OutOfMemoryError } from "../util/errors.ts";
import { allocateBuffer, typingMemory } from "./allocate.ts";

const module = new URL("allocate.ts", import.meta.url).href;

describe("allocateBuffer", () => {
  it("makes buffers of zeros, also large ones", () => {
    expect(allocateBuffer(0, "x").byteLength).toBe(0);
    expect(allocateBuffer(20 * 2 ** 20, "x").byteLength).toBe(20 * 2 ** 20);
  });

  it.each([2 ** 53 - 1, 2 ** 60, -1])("refuses %d bytes with a typed error", (bytes) => {
    // NaN makes an empty buffer, as everywhere in JavaScript.
    if (Number.isNaN(bytes)) return expect(allocateBuffer(bytes, "x").byteLength).toBe(0);
    expect(() => allocateBuffer(bytes, "tensor x")).toThrow(OutOfMemoryError);
    expect(() => allocateBuffer(bytes, "tensor x")).toThrow("tensor x: there is no memory for");
  });

  it("makes typed errors of arrays that others cannot make", async () => {
    const failing = async () => new Float64Array(2 ** 50);
    await expect(typingMemory(failing())).rejects.toBeInstanceOf(OutOfMemoryError);
    const other = async () => Promise.reject(new RangeError("another"));
    await expect(typingMemory(other())).rejects.toThrow("another");
  });

  it.skipIf(!existsSync("/proc/self/limits"))(
    "below a limit of address space refuses what would leave the engine no room",
    () => {
      const code = `const { allocateBuffer } = await import(${JSON.stringify(module)});
        const held = [];
        try { for (;;) held.push(new Uint8Array(allocateBuffer(64 * 2 ** 20, "an array")).fill(1)); }
        catch (error) { console.log(held.length, error.name, error.code, error.message, error.hint); }
        const more = Array.from({ length: 1e6 }, (_, i) => ({ i }));
        console.log(more.length);`;
      const command = `ulimit -v 3500000; exec "$0" --input-type=module -e "$1"`;
      const { stdout } = spawnSync("/bin/sh", ["-c", command, process.execPath, code], {
        encoding: "utf8",
      });
      expect(stdout).toMatch(/^\d+ OutOfMemoryError MEMORY an array: there is no memory for 68 MB/);
      expect(stdout).toContain("ulimit -v");
      expect(stdout).toContain("1000000");
    },
  );
});
