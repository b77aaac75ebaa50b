import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import {
  ggufBytes,
  meta,
  type TestGguf,
  type TestTensor,
} from "../../../test/fixtures/gguf-bytes.ts";
import { FormatError, UnsupportedError } from "../../util/errors.ts";
import { type GgufFile, openGgufFile } from "./gguf-file.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-gguf-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

async function open<T>(bytes: Uint8Array, use: (file: GgufFile) => T | Promise<T>): Promise<T> {
  const path = join(folder, "m.gguf");
  writeFileSync(path, bytes);
  const file = await openGgufFile(path);
  try {
    return await use(file);
  } finally {
    await file.close();
  }
}

const norm: TestTensor = { name: "output_norm.weight", type: "f32", shape: [4] };
const matrix: TestTensor = { name: "blk.0.attn_q.weight", type: "q4_1", shape: [2, 64] };

describe("a GGUF file", () => {
  test.each([2, 3])("of version %i gives its metadata, tensors and bytes", async (version) => {
    const data = Uint8Array.from({ length: 80 }, (_, i) => i + 1);
    const metadata = {
      "general.architecture": meta.string("llama"),
      "llama.block_count": meta.u32(7),
      "llama.eps": meta.f32(1e-5),
      "tokenizer.add": meta.bool(true),
      tokens: meta.strings(["a", "", "é🚀", "Ġthe"]),
      types: meta.i32s([1, -2, 3]),
      wide: { type: "u64", value: 2n ** 40n } as const,
    };
    const tensors = [norm, { ...matrix, data }];
    await open(ggufBytes({ version, metadata, tensors }), async (file) => {
      expect(file.metadata.string("general.architecture")).toBe("llama");
      expect(file.metadata.count("llama.block_count")).toBe(7);
      expect(file.metadata.number("llama.eps")).toBe(1e-5);
      expect(file.metadata.boolean("tokenizer.add")).toBe(true);
      expect(file.metadata.strings("tokens")).toEqual(["a", "", "é🚀", "Ġthe"]);
      expect(file.metadata.numbers("types")).toEqual(Int32Array.of(1, -2, 3));
      expect(file.metadata.count("wide")).toBe(2 ** 40);
      expect(file.metadata.string("nothing")).toBeNull();
      expect(file.info(matrix.name)).toMatchObject({ shape: [2, 64], begin: 32, end: 112 });
      const part = new Uint8Array(3);
      await file.readInto(matrix.name, part, 77);
      expect([...part]).toEqual([78, 79, 80]);
    });
  });

  test("of a vocabulary larger than what is read at first is read whole", async () => {
    const tokens = Array.from({ length: 70_000 }, (_, i) => `token ${i} of many`);
    await open(ggufBytes({ metadata: { tokens: meta.strings(tokens) } }), (file) => {
      expect(file.metadata.arrayLength("tokens")).toBe(70_000);
      expect(file.metadata.strings("tokens")).toEqual(tokens);
    });
  });

  test("a value of another type is refused by its key", async () => {
    await open(ggufBytes({ metadata: { a: meta.u32(1), b: meta.f32(0.5) } }), (file) => {
      expect(() => file.metadata.string("a")).toThrow(/m\.gguf: "a": expected a string.*has u32/);
      expect(() => file.metadata.count("b")).toThrow(/expected a count, got 0\.5/);
      expect(() => file.metadata.missing("c")).toThrow(/has no "c"/);
    });
  });
});

const long = "x".repeat(65);
const malformed: readonly (readonly [what: string, file: TestGguf, message: RegExp])[] = [
  ["more tensors than bytes", { tensorCount: 90_000 }, /promises 90,000 tensors/],
  ["more keys than bytes", { keyCount: 2n ** 63n }, /no possible size/],
  ["an empty key", { metadata: { "": meta.u32(1) } }, /key 0 is empty/],
  ["alignment 0", { metadata: { "general.alignment": meta.u32(0) } }, /alignment is 0/],
  ["alignment 48", { metadata: { "general.alignment": meta.u32(48) } }, /alignment is 48/],
  ["alignment 2^31", { metadata: { "general.alignment": meta.u32(2 ** 31) } }, /power of two/],
  ["a text for alignment", { metadata: { "general.alignment": meta.string("x") } }, /a number/],
  ["one name twice", { tensors: [norm, norm] }, /two tensors "output_norm.weight"/],
  ["a long name", { tensors: [{ ...norm, name: long }] }, /has 65 bytes, 64 at most/],
  ["five dimensions", { tensors: [{ ...norm, shape: [1, 1, 1, 1, 4] }] }, /5 dimensions/],
  ["half a block", { tensors: [{ ...matrix, shape: [2, 48] }] }, /q4_1 \[2, 48\] is no possible/],
  [
    "too many elements",
    { tensors: [{ ...norm, shape: [2 ** 31, 2 ** 31], data: new Uint8Array(4) }] },
    /no possible/,
  ],
  ["an offset between places", { tensors: [{ ...norm, offset: 4 }] }, /no multiple of 32/],
  ["an overlap", { tensors: [matrix, { ...norm, offset: 64 }] }, /overlap: it begins at byte 64/],
  ["a hole", { tensors: [{ ...norm, offset: 32 }] }, /leave a hole/],
  ["a tensor beyond the end", { tensors: [{ ...matrix, data: new Uint8Array(32) }] }, /truncated/],
];

describe("what the format does not allow is refused", () => {
  test.each(malformed)("%s", async (_, file, message) => {
    const opening = open(ggufBytes(file), () => {});
    await expect(opening).rejects.toThrow(FormatError);
    await expect(opening).rejects.toThrow(message);
  });

  test("an array that promises more than the file has, and an array of arrays", async () => {
    const huge = { ...meta.i32s([1]), length: 2 ** 40 };
    await expect(open(ggufBytes({ metadata: { huge } }), () => {})).rejects.toThrow(
      /"huge" promises 1,099,511,627,776 elements/,
    );
    const nested = { ...meta.i32s([0]), elements: "array" } as never;
    await expect(open(ggufBytes({ metadata: { nested } }), () => {})).rejects.toThrow(
      /array of arrays/,
    );
  });

  test("a string whose length leads out of the file", async () => {
    const bytes = ggufBytes({ metadata: { words: meta.strings(["one", "two"]) } });
    const at = bytes.length - 11;
    const length = new DataView(bytes.buffer);
    const start = Buffer.from(bytes).indexOf("two") - 8;
    expect(start).toBeLessThan(at + 11);
    length.setUint32(start + 4, 1, true);
    await expect(open(bytes, () => {})).rejects.toThrow(/string 1 of words/);
  });

  test("text that is not UTF-8", async () => {
    const bytes = ggufBytes({
      metadata: { word: meta.string("abc"), words: meta.strings(["xyz"]) },
    });
    bytes[Buffer.from(bytes).indexOf("xyz")] = 0xff;
    await open(bytes, (file) => {
      expect(() => file.metadata.strings("words")).toThrow(
        /"words" has a string that is not UTF-8/,
      );
    });
    bytes[Buffer.from(bytes).indexOf("abc")] = 0xff;
    await expect(open(bytes, () => {})).rejects.toThrow(/word is not UTF-8/);
  });

  test.each([
    [(bytes: Uint8Array) => bytes.fill(1, 4, 5), /version 1/],
    [(bytes: Uint8Array) => bytes.fill(9, 4, 5), /version 9/],
    [(bytes: Uint8Array) => bytes.set([0, 0, 0, 3], 4), /big-endian/],
    [(bytes: Uint8Array) => bytes.set([0x46, 0x55, 0x47, 0x47]), /big-endian/],
    [(bytes: Uint8Array) => bytes.set(Buffer.from("tjgg")), /form before GGUF/],
    [(bytes: Uint8Array) => bytes.set(Buffer.from("PK\x03\x04")), /no GGUF file.*"PK/],
    [(bytes: Uint8Array) => bytes.set(Buffer.from("version ")), /Git LFS pointer/],
  ])("another kind of file (%#)", async (change, message) => {
    const bytes = ggufBytes({ tensors: [norm] });
    change(bytes);
    await expect(open(bytes, () => {})).rejects.toThrow(message);
  });

  test.each([
    [4, /type q4_2, which ggml no longer has/],
    [143, /type 143, which is not known/],
  ])("type %i", async (type, message) => {
    const opening = open(
      ggufBytes({ tensors: [{ ...norm, type, data: new Uint8Array(16) }] }),
      () => {},
    );
    await expect(opening).rejects.toThrow(UnsupportedError);
    await expect(opening).rejects.toThrow(message);
  });

  test("a file that ends anywhere", async () => {
    const metadata = { name: meta.string("model"), tokens: meta.strings(["a", "bc"]) };
    const whole = ggufBytes({ metadata, tensors: [norm, matrix] });
    const path = join(folder, "cut.gguf");
    // What follows the last tensor is padding.
    const end = whole.length - 16;
    for (let size = end - 1; size >= 0; size--) {
      writeFileSync(path, whole);
      truncateSync(path, size);
      await expect(openGgufFile(path)).rejects.toThrow(FormatError);
    }
    truncateSync(path, 0);
    writeFileSync(path, whole.subarray(0, end));
    await (await openGgufFile(path)).close();
  });
});
