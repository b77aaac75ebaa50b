import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { FormatError } from "../../util/errors.ts";
import { columnImportance, fillUnseen, type Imatrix } from "./imatrix.ts";
import { readImatrix } from "./read-imatrix.ts";
import { writeImatrix } from "./write-imatrix.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-imatrix-"));
afterAll(() => rmSync(folder, { recursive: true }));
const at = (name: string) => join(folder, name);

const name = "blk.0.attn_q.weight";
const imatrix: Imatrix = {
  datasets: ["a.txt", "b.txt"],
  chunkCount: 3,
  chunkSize: 512,
  entries: new Map([
    [name, { sums: Float32Array.of(1, 2, 0.5, 4), counts: Float32Array.of(1536) }],
    ["blk.1.ffn_down_exps.weight", { sums: Float32Array.of(1, 2), counts: Float32Array.of(5, 0) }],
  ]),
};

/** The binary form before GGUF's, with the tail of later files unless it is left out. */
function legacyBytes(sums: readonly number[], tail = true): Uint8Array {
  const bytes: number[] = [];
  const word = (value: number) => bytes.push(...new Uint8Array(Int32Array.of(value).buffer));
  const text = (value: string) => {
    word(value.length);
    bytes.push(...new TextEncoder().encode(value));
  };
  word(1);
  text(name);
  word(2);
  word(sums.length);
  bytes.push(...new Uint8Array(Float32Array.from(sums).buffer));
  if (tail) {
    word(7);
    text("wiki.txt");
  }
  return Uint8Array.from(bytes);
}

describe("files of importance", () => {
  test("are read as they were written", async () => {
    await writeImatrix(at("a.gguf"), imatrix);
    expect(await readImatrix(at("a.gguf"))).toEqual(imatrix);
  });

  test("of the older binary form are read, with and without their tail", async () => {
    writeFileSync(at("a.dat"), legacyBytes([2, 4]));
    const entry = { sums: Float32Array.of(2, 4), counts: Float32Array.of(2) };
    const entries = new Map([[name, entry]]);
    expect(await readImatrix(at("a.dat"))).toEqual({
      datasets: ["wiki.txt"],
      chunkCount: 7,
      chunkSize: 0,
      entries,
    });
    writeFileSync(at("b.dat"), legacyBytes([2, 4], false));
    expect(await readImatrix(at("b.dat"))).toMatchObject({ datasets: [], chunkCount: 0, entries });
    expect(columnImportance("b.dat", name, entry, 2)?.values).toEqual(Float32Array.of(1, 2));
  });

  test("that were cut anywhere are refused", async () => {
    const whole = legacyBytes([2, 4]);
    const endOfEntries = legacyBytes([2, 4], false).length;
    for (let length = 0; length < whole.length; length++) {
      if (length === endOfEntries || length === endOfEntries + 4) continue;
      writeFileSync(at("cut.dat"), whole.subarray(0, length));
      await expect(readImatrix(at("cut.dat"))).rejects.toThrow(FormatError);
    }
  });

  test.each([
    ["NaN", Number.NaN],
    ["a negative number", -1],
    ["infinity", Number.POSITIVE_INFINITY],
  ])("with %s are refused, in both forms", async (_, sum) => {
    writeFileSync(at("bad.dat"), legacyBytes([1, sum]));
    await expect(readImatrix(at("bad.dat"))).rejects.toThrow(/sum 1 is/);
    const entry = { sums: Float32Array.of(1, sum), counts: Float32Array.of(1) };
    await writeImatrix(at(`bad${sum}.gguf`), { ...imatrix, entries: new Map([[name, entry]]) });
    await expect(readImatrix(at(`bad${sum}.gguf`))).rejects.toThrow(FormatError);
  });

  test("that promise more than they hold are refused", async () => {
    writeFileSync(at("more.dat"), Uint8Array.of(255, 255, 255, 127, 0, 0, 0, 0));
    await expect(readImatrix(at("more.dat"))).rejects.toThrow(/cannot have 2147483647 weights/);
  });
});

describe("importance of columns", () => {
  const entry = { sums: Float32Array.of(8, 0, 2, 0), counts: Float32Array.of(4) };

  test("is the mean of squares; where that is 0, the least of the others", () => {
    const values = Float32Array.of(2, 0.5, 0.5, 0.5);
    expect(columnImportance("f", name, entry, 4)).toEqual({ values, unseen: 2 });
  });

  test("is unknown where no token came, or all inputs were 0", () => {
    const none = { ...entry, counts: Float32Array.of(0) };
    expect(columnImportance("f", name, none, 4)).toBeNull();
    expect(fillUnseen(new Float32Array(3))).toBeNull();
  });

  test("of another number of columns is refused, by the field", () => {
    expect(() => columnImportance("f", name, entry, 5)).toThrow(
      expect.objectContaining({ constructor: FormatError, field: "imatrix" }),
    );
  });
});
