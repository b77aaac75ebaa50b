import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { bytesPerElement, type DType } from "../tensor/dtype.ts";
import { FewbitError, FormatError, ShapeError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { openSafetensors, type TensorEntry } from "./safetensors.ts";
import { SafetensorsWriter } from "./safetensors-writer.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-safetensors-"));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});
const at = (name: string): string => path.join(folder, name);

/** Builds a file from the text of its header and the size of its data. */
async function writeRaw(
  header: string,
  dataBytes: number,
  name = "m.safetensors",
): Promise<string> {
  const json = Buffer.from(header, "utf8");
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  await fs.writeFile(at(name), Buffer.concat([length, json, Buffer.alloc(dataBytes)]));
  return at(name);
}

const tensor = (dtype: string, shape: unknown, offsets: unknown): string =>
  JSON.stringify({ dtype, shape, data_offsets: offsets });

describe("round trip", () => {
  const dtypes: DType[] = [
    ...(["f64", "f32", "f16", "bf16", "i64", "u64", "i32", "u32"] as const),
    ...(["i16", "u16", "i8", "u8", "bool"] as const),
  ];

  test("every dtype comes back byte for byte, in aligned arrays of its own", async () => {
    const random = new Prng(7);
    const entries: TensorEntry[] = dtypes
      .toReversed()
      .map((dtype, i) => ({ name: `t.${dtype}`, dtype, shape: [3, i + 1] }));
    const writer = await SafetensorsWriter.create(at("a.safetensors"), entries, { made: "here" });
    const data = new Map<string, Uint8Array>();
    for (const { name, dtype, shape } of entries) {
      const bytes = new Uint8Array((shape[0] ?? 0) * (shape[1] ?? 0) * bytesPerElement(dtype));
      data.set(
        name,
        bytes.map(() => random.below(256)),
      );
    }
    for (const [name, bytes] of data) await writer.write(name, bytes);
    await writer.finish();

    const file = await openSafetensors(at("a.safetensors"));
    expect(file.metadata).toEqual(new Map([["made", "here"]]));
    expect([...file.tensors.keys()].sort()).toEqual(entries.map((e) => e.name).sort());
    for (const { name, dtype, shape } of entries) {
      const array = await file.read(name);
      const { buffer, byteOffset, byteLength } = array;
      expect(new Uint8Array(buffer, byteOffset, byteLength)).toEqual(data.get(name));
      expect(file.info(name)).toMatchObject({ dtype, shape });
      expect(file.info(name).begin % bytesPerElement(dtype)).toBe(0);
    }
    await file.close();
  });

  test("a row range is the same rows of the whole; scalars and empty tensors work", async () => {
    const entries: TensorEntry[] = [
      { name: "m", dtype: "f32", shape: [4, 3] },
      { name: "scalar", dtype: "i64", shape: [] },
      { name: "none", dtype: "f16", shape: [0, 5] },
    ];
    const writer = await SafetensorsWriter.create(at("a"), entries);
    await writer.write(
      "m",
      Float32Array.from({ length: 12 }, (_, i) => i),
    );
    await writer.write("scalar", BigInt64Array.of(-5n));
    await writer.finish();
    const file = await openSafetensors(at("a"));
    const rows = new Float32Array(6);
    await file.readInto("m", new Uint8Array(rows.buffer), 12);
    expect(rows).toEqual(Float32Array.of(3, 4, 5, 6, 7, 8));
    await file.readInto("m", new Uint8Array(0), 48);
    expect(await file.readAs("scalar", "i64")).toEqual(BigInt64Array.of(-5n));
    expect(await file.read("none")).toEqual(new Uint16Array(0));
    await expect(file.read("gone")).rejects.toThrow(/no tensor "gone"/);
    await expect(file.readAs("m", "f16")).rejects.toThrow(/expected f16, the file has f32/);
    await expect(file.readInto("m", new Uint8Array(8), 44)).rejects.toThrow(ShapeError);
    await file.close();
  });

  test("parts may be written in any order; a missing byte is found at the end", async () => {
    const entries: TensorEntry[] = [{ name: "a", dtype: "u8", shape: [10] }];
    const write = async (ranges: [number, number][]): Promise<void> => {
      await fs.rm(at("p"), { force: true });
      const writer = await SafetensorsWriter.create(at("p"), entries);
      try {
        for (const [begin, end] of ranges) {
          await writer.write(
            "a",
            Uint8Array.from({ length: end - begin }, (_, i) => begin + i),
            begin,
          );
        }
        await writer.finish();
      } finally {
        await writer.close();
      }
    };
    await write([
      [6, 10],
      [0, 3],
      [2, 6],
      [4, 4],
    ]);
    const file = await openSafetensors(at("p"));
    expect(await file.read("a")).toEqual(Uint8Array.from({ length: 10 }, (_, i) => i));
    await file.close();
    await expect(
      write([
        [6, 10],
        [0, 5],
      ]),
    ).rejects.toThrow(/"a" was not written whole/);
    await expect(write([[1, 10]])).rejects.toThrow(UsageError);
    await expect(write([])).rejects.toThrow(UsageError);
    await expect(write([[5, 11]])).rejects.toThrow(/has 10 bytes, got bytes 5 to 11/);
  });

  test("names are only names: __proto__, quotes and newlines survive", async () => {
    const names = ["__proto__", "constructor", 'a"b\\c\n', "é漢😀"];
    const entries = names.map((name): TensorEntry => ({ name, dtype: "u8", shape: [1] }));
    const writer = await SafetensorsWriter.create(at("n"), entries, { ["__proto__"]: "x" });
    for (const [i, name] of names.entries()) await writer.write(name, Uint8Array.of(i));
    await writer.finish();
    const file = await openSafetensors(at("n"));
    for (const [i, name] of names.entries())
      expect(await file.read(name)).toEqual(Uint8Array.of(i));
    expect(file.metadata.get("__proto__")).toBe("x");
    expect(({} as Record<string, unknown>).dtype).toBeUndefined();
    await file.close();
  });

  test("a name declared twice or reserved is refused before a file is made", async () => {
    const twice: TensorEntry[] = ["a", "a"].map((name) => ({ name, dtype: "u8", shape: [1] }));
    await expect(SafetensorsWriter.create(at("d"), twice)).rejects.toThrow(UsageError);
    const reserved: TensorEntry[] = [{ name: "__metadata__", dtype: "u8", shape: [1] }];
    await expect(SafetensorsWriter.create(at("d"), reserved)).rejects.toThrow(UsageError);
    const huge: TensorEntry[] = [{ name: "a", dtype: "f64", shape: [2 ** 30, 2 ** 30] }];
    await expect(SafetensorsWriter.create(at("d"), huge)).rejects.toThrow(UsageError);
    expect(await fs.readdir(folder)).toEqual([]);
  });
});

describe("golden bytes of the Python library (safetensors 0.8.0)", () => {
  const golden = Buffer.from(
    "sAEAAAAAAAB7Il9fbWV0YWRhdGFfXyI6eyJmb3JtYXQiOiJwdCJ9LCJmNjQiOnsiZHR5cGUiOiJGNjQiLCJzaGFwZS" +
      "I6WzJdLCJkYXRhX29mZnNldHMiOlswLDE2XX0sImYzMiI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbMSwyXSwiZGF0" +
      "YV9vZmZzZXRzIjpbMTYsMjRdfSwicyI6eyJkdHlwZSI6IkYzMiIsInNoYXBlIjpbXSwiZGF0YV9vZmZzZXRzIjpbMj" +
      "QsMjhdfSwiw6kiOnsiZHR5cGUiOiJGMzIiLCJzaGFwZSI6WzAsNF0sImRhdGFfb2Zmc2V0cyI6WzI4LDI4XX0sImJm" +
      "Ijp7ImR0eXBlIjoiQkYxNiIsInNoYXBlIjpbM10sImRhdGFfb2Zmc2V0cyI6WzI4LDM0XX0sImgiOnsiZHR5cGUiOi" +
      "JGMTYiLCJzaGFwZSI6WzJdLCJkYXRhX29mZnNldHMiOlszNCwzOF19LCJ1Ijp7ImR0eXBlIjoiVTgiLCJzaGFwZSI6" +
      "WzNdLCJkYXRhX29mZnNldHMiOlszOCw0MV19fSAgICAgICAAAAAAAAD4PwAAAAAAAADAzczMPQAAgH8AAFBAgD9AwM" +
      "09/3sBAAEC/w==",
    "base64",
  );

  test("are read", async () => {
    await fs.writeFile(at("g"), golden);
    const file = await openSafetensors(at("g"));
    expect(await file.read("f64")).toEqual(Float64Array.of(1.5, -2));
    expect(await file.read("f32")).toEqual(Float32Array.of(0.1, Infinity));
    expect(await file.read("s")).toEqual(Float32Array.of(3.25));
    expect(await file.read("bf")).toEqual(Uint16Array.of(0x3f80, 0xc040, 0x3dcd));
    expect(await file.read("h")).toEqual(Uint16Array.of(0x7bff, 0x0001));
    expect(await file.read("u")).toEqual(Uint8Array.of(1, 2, 255));
    expect(file.info("é").shape).toEqual([0, 4]);
    await file.close();
  });

  test("are written, when tensors are declared in the order that library chooses", async () => {
    await fs.writeFile(at("g"), golden);
    const file = await openSafetensors(at("g"));
    const entries = [...file.tensors.values()].map(({ name, dtype, shape }) => ({
      name,
      dtype: dtype as DType,
      shape,
    }));
    const writer = await SafetensorsWriter.create(at("w"), entries);
    for (const { name } of entries) await writer.write(name, await file.read(name));
    await writer.finish();
    expect(Buffer.compare(await fs.readFile(at("w")), golden)).toBe(0);
    await file.close();
  });
});

describe("large files", () => {
  test("a file over 4 GiB is read in parts at its far end, with little memory", async () => {
    const rows = 5 * 2 ** 20;
    const dataBytes = rows * 1024;
    const header = `{"big":${tensor("U8", [rows, 1024], [0, dataBytes])}}`;
    const file = await writeRaw(header, 0);
    const handle = await fs.open(file, "r+");
    const dataStart = 8 + Buffer.byteLength(header);
    await handle.truncate(dataStart + dataBytes);
    await handle.write(Uint8Array.of(9), 0, 1, dataStart + dataBytes - 1);
    await handle.close();
    const big = await openSafetensors(file);
    const last = new Uint8Array(2048);
    await big.readInto("big", last, dataBytes - 2048);
    expect([last[2046], last[2047]]).toEqual([0, 9]);
    const tail = new Uint8Array(3);
    await big.readInto("big", tail, dataBytes - 3);
    expect([...tail]).toEqual([0, 0, 9]);
    await big.close();
  });

  test("resume in a file of the same tensors; what is not kept or written again is missing", async () => {
    const entries: TensorEntry[] = [
      { name: "a", dtype: "u8", shape: [3] },
      { name: "b", dtype: "u8", shape: [2] },
    ];
    const first = await SafetensorsWriter.create(at("m"), entries);
    await first.write("a", Uint8Array.of(1, 2, 3));
    await first.close();
    const half = await openSafetensors(at("m"));
    expect(await half.read("b")).toEqual(Uint8Array.of(0, 0));
    await half.close();

    const again = await SafetensorsWriter.reopen(at("m"), entries);
    await again.write("b", Uint8Array.of(4, 5));
    await expect(again.finish()).rejects.toThrow(/"?a"? was not written whole/);
    const last = await SafetensorsWriter.reopen(at("m"), entries);
    for (const name of ["a", "b"]) last.keep(name);
    await last.finish();
    const whole = await openSafetensors(at("m"));
    expect(await whole.read("a")).toEqual(Uint8Array.of(1, 2, 3));
    expect(await whole.read("b")).toEqual(Uint8Array.of(4, 5));
    await whole.close();

    const others = [{ ...entries[0], shape: [4] }, entries[1]] as TensorEntry[];
    await expect(SafetensorsWriter.reopen(at("m"), others)).rejects.toThrow(FormatError);
    await expect(SafetensorsWriter.reopen(at("none"), entries)).rejects.toThrow(FormatError);
  });

  test("a tensor is written beyond 4 GiB", async () => {
    const size = 5 * 2 ** 30;
    const writer = await SafetensorsWriter.create(at("w"), [
      { name: "big", dtype: "u8", shape: [size] },
    ]);
    await writer.write("big", Uint8Array.of(7), size - 1);
    await expect(writer.finish()).rejects.toThrow(/not written whole/);
    const file = await openSafetensors(at("w"));
    const last = new Uint8Array(1);
    await file.readInto("big", last, size - 1);
    expect(last).toEqual(Uint8Array.of(7));
    await file.close();
  });
});

describe("files that are not what their header says are a FormatError", () => {
  test("a file cut at any byte", async () => {
    const entries: TensorEntry[] = [{ name: "a", dtype: "f32", shape: [3] }];
    const writer = await SafetensorsWriter.create(at("whole"), entries);
    await writer.write("a", new Float32Array(3));
    await writer.finish();
    const whole = await fs.readFile(at("whole"));
    for (let length = 0; length < whole.length; length++) {
      await fs.writeFile(at("cut"), whole.subarray(0, length));
      const opened = openSafetensors(at("cut"));
      await expect(opened, `cut at ${length}`).rejects.toThrow(FormatError);
      await expect(opened, `cut at ${length}`).rejects.toThrow(/truncated/);
    }
  });

  test("bytes after the last tensor", async () => {
    const file = await writeRaw(`{"a":${tensor("U8", [1], [0, 1])}}`, 3);
    await expect(openSafetensors(file)).rejects.toThrow(/2 bytes after its last tensor/);
  });

  test("less data than promised names both sizes", async () => {
    const file = await writeRaw(`{"a":${tensor("U8", [11541504], [0, 11541504])}}`, 8_388_608);
    await expect(openSafetensors(file)).rejects.toThrow(
      "m.safetensors is truncated: the header promises 11,541,504 bytes of data, the file has 8,388,608",
    );
  });

  test("a header longer than the file or than 100 MB is refused without reading it", async () => {
    const prefix = Buffer.alloc(16);
    prefix.writeBigUInt64LE(99_999_999n);
    await fs.writeFile(at("h"), prefix);
    await expect(openSafetensors(at("h"))).rejects.toThrow(/header should have 99,999,999 bytes/);
    prefix.writeBigUInt64LE(2n ** 63n + 5n);
    await fs.writeFile(at("h"), prefix);
    await expect(openSafetensors(at("h"))).rejects.toThrow(/100 MB is the most/);
    await fs.writeFile(at("h"), "short");
    await expect(openSafetensors(at("h"))).rejects.toThrow(/truncated: it has 5 bytes/);
    await fs.writeFile(at("h"), "version https://git-lfs.github.com/spec/v1\n");
    await expect(openSafetensors(at("h"))).rejects.toThrow(/Git LFS pointer/);
    prefix.writeBigUInt64LE(8n);
    prefix.fill(0xff, 8);
    await fs.writeFile(at("h"), prefix);
    await expect(openSafetensors(at("h"))).rejects.toThrow(/not UTF-8/);
  });

  test("8-bit floats and other types without arrays are listed and read as bytes", async () => {
    const file = await openSafetensors(
      await writeRaw(
        `{"q":${tensor("F8_E4M3", [2, 2], [0, 4])},"r":${tensor("F4", [2], [4, 5])}}`,
        5,
      ),
    );
    expect(file.info("q").dtype).toBe("f8_e4m3");
    expect(await file.read("q")).toEqual(new Uint8Array(4));
    expect(await file.read("r")).toEqual(new Uint8Array(1));
    await file.close();
  });
});

test("errors carry a hint where the user can do something", async () => {
  const file = await writeRaw(`{"a":${tensor("U8", [10], [0, 10])}}`, 5);
  const error = await openSafetensors(file).catch((caught: unknown) => caught);
  expect(error).toBeInstanceOf(FewbitError);
  expect((error as FewbitError).hint).toBe(`download ${file} again, or check the disk`);
});
