import { mkdtempSync, readFileSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ggufBytes, meta } from "../../../test/fixtures/gguf-bytes.ts";
import { UsageError } from "../../util/errors.ts";
import { type GgufContents, layOutGguf } from "./gguf-layout.ts";
import type { GgufValue } from "./gguf-metadata.ts";
import { openGgufParts } from "./gguf-parts.ts";
import { ggmlTypeNamed } from "./gguf-types.ts";
import { GgufWriter } from "./gguf-writer.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "gguf-writer-"));
});
afterAll(() => rmSync(folder, { recursive: true }));

const metadata: Readonly<Record<string, GgufValue>> = {
  "general.architecture": meta.string("llama"),
  "general.name": meta.string("näme 🙂"),
  "test.u8": { type: "u8", value: 200 },
  "test.i16": { type: "i16", value: -3 },
  "test.u32": meta.u32(4_000_000_000),
  "test.f32": meta.f32(1e-5),
  "test.f64": { type: "f64", value: Math.PI },
  "test.u64": { type: "u64", value: 2n ** 63n },
  "test.i64": { type: "i64", value: -5n },
  "test.bool": meta.bool(true),
  "test.strings": meta.strings(["a", "", "ü"]),
  "test.i32s": meta.i32s([1, -2, 3]),
  "test.f32s": meta.f32s([0.5]),
};

const tensors = [
  { name: "token_embd.weight", type: "q8_0", shape: [3, 64] },
  { name: "blk.0.attn_norm.weight", type: "f32", shape: [5] },
  { name: "blk.0.ffn_up.weight", type: "q4_k", shape: [7, 256] },
  { name: "output_norm.weight", type: "f32", shape: [1] },
].map((tensor, i) => {
  const type = ggmlTypeNamed(tensor.type);
  if (!type) throw new Error(tensor.type);
  const columns = tensor.shape.at(-1) ?? 1;
  const rows = tensor.shape.length > 1 ? tensor.shape[0] : 1;
  const bytes = ((rows * columns) / type.columns) * type.bytes;
  const data = Uint8Array.from({ length: bytes }, (_, at) => (at * 31 + i) % 256);
  return { ...tensor, type, data };
});

const contents: GgufContents = { metadata: new Map(Object.entries(metadata)), entries: tensors };

async function write(path: string, splitBytes: number | null): Promise<string[]> {
  const parts = layOutGguf(path, contents, splitBytes);
  const paths = parts.map((part) => part.path);
  const writer = await GgufWriter.create(parts, paths);
  for (const { name, data } of tensors) {
    await writer.write(name, data.subarray(0, 5));
    await writer.write(name, data.subarray(5));
  }
  await writer.finish();
  expect(paths.map((each) => statSync(each).size)).toEqual(parts.map((part) => part.sizeBytes));
  return paths;
}

describe("a written file", () => {
  test("has the bytes that the format prescribes", async () => {
    const path = join(folder, "whole.gguf");
    await write(path, null);
    const expected = ggufBytes({
      metadata,
      tensors: tensors.map(({ type, ...tensor }) => ({ ...tensor, type: type.name })),
    });
    expect(new Uint8Array(readFileSync(path))).toEqual(expected);
  });

  test("is read again, whole and in parts", async () => {
    for (const splitBytes of [null, 1500, 1]) {
      const paths = await write(join(folder, `m${splitBytes}.gguf`), splitBytes);
      const files = await openGgufParts(paths[0]);
      expect(files.length).toBe(paths.length);
      expect(files[0].metadata.string("general.name")).toBe("näme 🙂");
      expect(files[0].metadata.strings("test.strings")).toEqual(["a", "", "ü"]);
      for (const { name, data, shape } of tensors) {
        const [file] = files.filter((each) => each.tensors.has(name));
        expect(file.info(name).shape).toEqual(shape);
        const found = new Uint8Array(data.length);
        await file.readInto(name, found, 0);
        expect(found).toEqual(data);
      }
      await Promise.all(files.map((file) => file.close()));
    }
  });

  test("has a header of any size", () => {
    const words = Array.from({ length: 30_000 }, (_, i) => `word ${i}`);
    const large = { "test.words": meta.strings(words), "test.end": meta.u32(7) };
    const [{ header }] = layOutGguf("x.gguf", {
      metadata: new Map(Object.entries(large)),
      entries: [],
    });
    expect(header).toEqual(ggufBytes({ metadata: large }));
  });

  test("is split so that parts are no larger than asked, but for a tensor that is", () => {
    const parts = layOutGguf(join(folder, "s.gguf"), contents, 1500);
    expect(parts.length).toBeGreaterThan(1);
    expect(parts.map(({ path }) => path.slice(-18))).toEqual(
      parts.map((_, i) => `0000${i + 1}-of-0000${parts.length}.gguf`.slice(-18)),
    );
    for (const { sizeBytes, tensors: placed } of parts) {
      if (placed.length > 1) expect(sizeBytes).toBeLessThanOrEqual(1500);
    }
    expect(layOutGguf(join(folder, "s.gguf"), contents, 1e9).length).toBe(1);
    expect(layOutGguf(join(folder, "s.gguf"), contents, 1).length).toBe(tensors.length);
  });
});

describe("refused", () => {
  test.each([
    [[tensors[0], tensors[0]], "is taken"],
    [[{ ...tensors[0], name: "x".repeat(64) }], "64 bytes"],
    [[{ ...tensors[2], shape: [2, 100] }], "no whole blocks of 256"],
  ])("entries %#: %s", (entries, message) => {
    const lay = () => layOutGguf("x.gguf", { metadata: new Map(), entries });
    expect(lay).toThrow(UsageError);
    expect(lay).toThrow(message);
  });

  test("bytes of no tensor, too many, and too few", async () => {
    const path = join(folder, "short.gguf");
    const writer = await GgufWriter.create(layOutGguf(path, contents), [path]);
    await expect(writer.write("other", new Uint8Array(1))).rejects.toThrow("was not declared");
    await expect(writer.write(tensors[1].name, new Uint8Array(21))).rejects.toThrow("has 20 bytes");
    await writer.write(tensors[1].name, new Uint8Array(19));
    await expect(writer.finish()).rejects.toThrow("was not written whole");
  });
});
