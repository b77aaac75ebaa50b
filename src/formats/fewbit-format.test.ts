import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { blockFormats } from "../quant/blocks/index.ts";
import { QTensor } from "../quant/q-tensor.ts";
import { expectPlanar, groupsPerRow, parseScheme, sparseWeights } from "../quant/scheme.ts";
import { packSparseRows } from "../quant/sparse-rows.ts";
import { FormatError, NumericError, UnsupportedError } from "../util/errors.ts";
import { floatToHalfBits } from "../util/half.ts";
import { Prng } from "../util/prng.ts";
import { openCheckpoint } from "./checkpoint.ts";
import { CheckpointWriter } from "./checkpoint-writer.ts";
import { quantizedEntries, readQTensor, writeQTensor } from "./fewbit-format.ts";
import {
  layerKind,
  type QuantizedModule,
  readQuantizationConfig,
  stackModules,
  writeQuantizationConfig,
} from "./quantization-config.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-format-"));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});

/** A weight of random codes, scales and zero points. */
function randomWeight(id: string, outFeatures: number, inFeatures: number, seed = 1): QTensor {
  const random = new Prng(seed);
  const scheme = expectPlanar(parseScheme(id));
  const { levels, zeroPoint, inputScales, codebook } = scheme.grid;
  const beside = sparseWeights(scheme, outFeatures, inFeatures);
  const groups = outFeatures * groupsPerRow(scheme, inFeatures);
  const draw = (count: number): Uint8Array =>
    Uint8Array.from({ length: count }, () => random.below(levels));
  const codes = draw(outFeatures * inFeatures);
  const drawHalves = (length: number): Uint16Array =>
    Uint16Array.from({ length }, () => floatToHalfBits(random.uniform()));
  const scales = drawHalves(codebook ? 0 : groups);
  const zeros = {
    none: {},
    integer: { zeros: draw(groups) },
    float16: { zeros: scales.map((_, i) => floatToHalfBits(i / 3 - 1)) },
  };
  const columns = Uint16Array.from({ length: inFeatures }, (_, i) => floatToHalfBits(i / 7 - 2));
  return QTensor.pack(scheme, {
    outFeatures,
    inFeatures,
    codes,
    scales,
    ...zeros[zeroPoint],
    ...(inputScales && { inputScales: columns }),
    ...(codebook && { codebook: drawHalves(outFeatures * levels) }),
    ...(beside > 0 && {
      sparse: packSparseRows(
        [outFeatures, inFeatures],
        Uint32Array.from({ length: beside }, (_, i) => 7 * i + 3),
        drawHalves(beside),
      ),
    }),
  });
}

/** A weight of blocks of random codes, every scale 1. */
function blocksOf(id: string, outFeatures: number, inFeatures: number): QTensor {
  const random = new Prng(1);
  const scheme = parseScheme(id);
  const { blocks } = QTensor.sizes(scheme, outFeatures, inFeatures);
  const zeros = QTensor.ofBlocks(scheme, outFeatures, inFeatures, new Uint8Array(blocks));
  return QTensor.packBlocks(scheme, {
    outFeatures,
    inFeatures,
    ...zeros.unpackBlockScales(),
    scales: zeros.blockScales().scales.fill(0x3c00),
    codes: zeros.unpackCodes().map(() => random.below(scheme.grid.levels)),
  });
}

const moduleOf = (weight: QTensor): QuantizedModule => ({
  kind: layerKind(weight.scheme),
  scheme: weight.scheme,
  outFeatures: weight.outFeatures,
  inFeatures: weight.inFeatures,
});

/** Writes a checkpoint of packed weights, config.json included. */
async function save(weights: ReadonlyMap<string, QTensor>): Promise<void> {
  const entries = [...weights].flatMap(([name, weight]) => quantizedEntries(name, weight));
  const writer = await CheckpointWriter.create(folder, entries);
  for (const [name, weight] of weights) await writeQTensor(writer, name, weight);
  await writer.finish();
  const modules = new Map([...weights].map(([name, weight]) => [name, moduleOf(weight)]));
  const config = {
    quantization_config: writeQuantizationConfig(parseScheme("w2g64"), modules, {
      notes: { method: "rtn" },
    }),
  };
  await fs.writeFile(path.join(folder, "config.json"), JSON.stringify(config));
}

describe("packed weights", () => {
  test("of every scheme come back byte for byte, also where groups do not divide the width", async () => {
    const ids = ["w1", "w1g64", "w1.58", "w1.58g32", "w2g64", "w2-sym", "w3g128", "w3g32-sym"];
    ids.push("w4", "w4g64-sym", "w8", "w8g32-sym", "w1-svid", "w1-onebit", "w4g64-nf4");
    ids.push("w2-codebook", "w3-codebook", "w4-codebook", "w3-codebook-s0.45", "w4-codebook-s2");
    const weights = new Map(
      ids.map((id, i) => [`model.layers.${i}.proj`, randomWeight(id, 7, 172, i)]),
    );
    await save(weights);
    const checkpoint = await openCheckpoint(folder);
    const config = readQuantizationConfig(checkpoint.config);
    expect(config?.scheme.id).toBe("w2g64");
    expect(config?.notes).toEqual({ method: "rtn" });
    expect(config?.modules.size).toBe(ids.length);
    let bytes = 0;
    for (const [name, module] of config?.modules ?? []) {
      const weight = await readQTensor(checkpoint, name, module);
      expect(weight.scheme).toEqual(weights.get(name)?.scheme);
      expect(weight.parts).toEqual(weights.get(name)?.parts);
      expect(weight.dequantize()).toEqual(weights.get(name)?.dequantize());
      bytes += weight.sizeBytes;
    }
    expect(checkpoint.totalBytes).toBe(bytes);
    await checkpoint.close();
  });

  test("of blocks are one tensor each, and come back byte for byte", async () => {
    const ids = blockFormats.map(({ id }) => id);
    const weights = new Map(ids.map((id, i) => [`model.layers.${i}`, blocksOf(id, 3, 512)]));
    await save(weights);
    const checkpoint = await openCheckpoint(folder);
    const config = readQuantizationConfig(checkpoint.config);
    expect([...checkpoint.tensors.keys()].sort()).toEqual(
      ids.map((_, i) => `model.layers.${i}.blocks`).sort(),
    );
    for (const [name, module] of config?.modules ?? []) {
      const weight = await readQTensor(checkpoint, name, module);
      expect(weight.scheme).toBe(weights.get(name)?.scheme);
      expect(weight.parts.blocks).toEqual(weights.get(name)?.parts.blocks);
    }
    const wrong = { ...moduleOf(blocksOf("q1_0", 3, 512)), scheme: parseScheme("q4_1") };
    await expect(readQTensor(checkpoint, "model.layers.0", wrong)).rejects.toThrow(FormatError);
    await checkpoint.close();
  });

  test("of blocks with NaN or infinite scales or offsets are a NumericError", async () => {
    const weight = blocksOf("q4_k", 3, 512);
    weight.parts.blocks?.set([0, 0x7c], 144);
    weight.parts.blocks?.set([0, 0xfe], 2);
    await save(new Map([["m", weight]]));
    const checkpoint = await openCheckpoint(folder);
    const read = readQTensor(checkpoint, "m", moduleOf(weight));
    await expect(read).rejects.toThrow(NumericError);
    await expect(read).rejects.toThrow('"m.blocks" has 1 NaN or infinite scales among its 6');
    await checkpoint.close();
  });

  test("have the documented golden bytes", async () => {
    const scheme = parseScheme("w3g8");
    const codes = Uint8Array.of(0, 1, 2, 3, 4, 5, 6, 7, 7, 0, 7);
    const scales = Uint16Array.of(0x3c00, 0x3800);
    const chosen = { outFeatures: 1, inFeatures: 11, codes, scales, zeros: Uint8Array.of(4, 3) };
    await save(new Map([["m", QTensor.pack(scheme, chosen)]]));
    const file = await fs.readFile(path.join(folder, "model.safetensors"));
    const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
    // Scales stand first: their elements are the widest.
    expect(data.toString("hex")).toBe("003c0038" + "88c6fac701000000" + "1c000000");
    const header = file.subarray(8, file.length - data.length).toString();
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},' +
        '"m.scales":{"dtype":"F16","shape":[1,2],"data_offsets":[0,4]},' +
        '"m.codes":{"dtype":"U8","shape":[1,8],"data_offsets":[4,12]},' +
        '"m.zeros":{"dtype":"U8","shape":[4],"data_offsets":[12,16]}}',
    );
  });

  test("with scales of the inputs have the documented golden bytes", async () => {
    const scheme = parseScheme("w1-onebit");
    const codes = Uint8Array.of(1, 0, 1, 0, 0, 1);
    const scales = Uint16Array.of(0x3c00, 0x3800);
    const inputScales = Uint16Array.of(0x3c00, 0x4000, 0x3800);
    const chosen = { outFeatures: 2, inFeatures: 3, codes, scales, inputScales };
    await save(new Map([["m", QTensor.pack(scheme, chosen)]]));
    const file = await fs.readFile(path.join(folder, "model.safetensors"));
    const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
    expect(data.toString("hex")).toBe("003c0038" + "003c00400038" + "0500000004000000");
    const header = file.subarray(8, file.length - data.length).toString();
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},' +
        '"m.scales":{"dtype":"F16","shape":[2,1],"data_offsets":[0,4]},' +
        '"m.input_scales":{"dtype":"F16","shape":[3],"data_offsets":[4,10]},' +
        '"m.codes":{"dtype":"U8","shape":[2,4],"data_offsets":[10,18]}}',
    );
    const config = JSON.parse(await fs.readFile(path.join(folder, "config.json"), "utf8"));
    const modules = { m: { scheme: "w1-onebit", kind: "onebit", shape: [2, 3] } };
    expect(config.quantization_config.modules).toEqual(modules);
  });

  test("with a codebook have the documented golden bytes", async () => {
    const weight = QTensor.pack(parseScheme("w2-codebook"), {
      outFeatures: 2,
      inFeatures: 5,
      codes: Uint8Array.of(0, 1, 2, 3, 0, 3, 3, 2, 1, 1),
      scales: new Uint16Array(),
      codebook: Uint16Array.of(0xbc00, 0xb400, 0, 0x3800, 0xc000, 0, 0x3c00, 0x4200),
    });
    await save(new Map([["m", weight]]));
    const file = await fs.readFile(path.join(folder, "model.safetensors"));
    const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
    expect(data.toString("hex")).toBe(
      "00bc00b400000038" + "00c00000003c0042" + "e4000000" + "6f010000",
    );
    const header = file.subarray(8, file.length - data.length).toString();
    expect(header.trimEnd()).toBe(
      '{"__metadata__":{"format":"pt"},' +
        '"m.codebook":{"dtype":"F16","shape":[2,4],"data_offsets":[0,16]},' +
        '"m.codes":{"dtype":"U8","shape":[2,4],"data_offsets":[16,24]}}',
    );
    expect([...weight.dequantize()]).toEqual([-1, -0.25, 0, 0.5, -1, 3, 3, 1, 0, 0]);
  });

  test("with weights beside the codes have the documented golden bytes", async () => {
    const weight = QTensor.pack(parseScheme("w2-codebook-s10"), {
      outFeatures: 2,
      inFeatures: 10,
      codes: new Uint8Array(20),
      scales: new Uint16Array(),
      codebook: Uint16Array.of(0xbc00, 0xb400, 0, 0x3800, 0xc000, 0, 0x3c00, 0x4200),
      sparse: packSparseRows([2, 10], Uint32Array.of(3, 14), Uint16Array.of(0x3c00, 0x4000)),
    });
    await save(new Map([["m", weight]]));
    const checkpoint = await openCheckpoint(folder);
    const bytes = (name: string): Promise<Uint16Array> => checkpoint.viewAs(name, "u16");
    expect([...(await bytes("m.sparse_counts"))]).toEqual([1, 1]);
    expect([...(await bytes("m.sparse_columns"))]).toEqual([3, 4]);
    expect([...(await checkpoint.viewAs("m.sparse_values", "f16"))]).toEqual([0x3c00, 0x4000]);
    const decoded = (await readQTensor(checkpoint, "m", moduleOf(weight))).dequantize();
    expect([decoded[2], decoded[3], decoded[13], decoded[14]]).toEqual([-1, 0, -2, 0]);
    await checkpoint.close();
  });

  test.each(["columns", "counts"] as const)(
    "with %s of sparse weights that cannot be are a FormatError",
    async (part) => {
      const weight = randomWeight("w4-codebook-s2", 3, 100);
      weight.parts.sparse?.[part].set([9999], 1);
      await save(new Map([["m", weight]]));
      const checkpoint = await openCheckpoint(folder);
      await expect(readQTensor(checkpoint, "m", moduleOf(weight))).rejects.toThrow(FormatError);
      await checkpoint.close();
    },
  );

  test("with a NaN in a codebook are a NumericError", async () => {
    const weight = randomWeight("w3-codebook", 3, 16);
    weight.parts.codebook?.set([0x7e00], 9);
    await save(new Map([["m", weight]]));
    const checkpoint = await openCheckpoint(folder);
    const read = readQTensor(checkpoint, "m", moduleOf(weight));
    await expect(read).rejects.toThrow(NumericError);
    await expect(read).rejects.toThrow('"m.codebook" has 1 NaN or infinite values among its 24');
    await checkpoint.close();
  });

  test("of blocks have the documented golden bytes", async () => {
    const scheme = parseScheme("q4_1");
    const weight = QTensor.packBlocks(scheme, {
      outFeatures: 1,
      inFeatures: 32,
      codes: Uint8Array.from({ length: 32 }, (_, i) => i % 16),
      scales: Uint16Array.of(0x3800),
      offsets: Uint16Array.of(0xbc00),
      subScales: null,
      subOffsets: null,
    });
    await save(new Map([["m", weight]]));
    const file = await fs.readFile(path.join(folder, "model.safetensors"));
    const data = file.subarray(8 + Number(file.readBigUInt64LE(0)));
    expect(data.toString("hex")).toBe("0038" + "00bc" + "00112233445566778899aabbccddeeff");
    const values = Array.from({ length: 32 }, (_, i) => (i % 16) / 2 - 1);
    expect([...weight.dequantize()]).toEqual(values);
  });

  test("of another shape or scheme than the configuration says are a FormatError", async () => {
    const weight = randomWeight("w4g64", 8, 128);
    await save(new Map([["m", weight]]));
    const checkpoint = await openCheckpoint(folder);
    const wrong: Partial<QuantizedModule>[] = [
      { outFeatures: 9 },
      { inFeatures: 192 },
      { scheme: parseScheme("w2g64") },
      { scheme: parseScheme("w4g32") },
    ];
    for (const change of wrong) {
      const read = readQTensor(checkpoint, "m", { ...moduleOf(weight), ...change });
      await expect(read).rejects.toThrow(FormatError);
    }
    const other = readQTensor(checkpoint, "m2", moduleOf(weight));
    await expect(other).rejects.toThrow(/no tensor "m2.codes"/);
    await checkpoint.close();
  });

  test("with NaN or infinite scales are a NumericError that counts them", async () => {
    const weight = randomWeight("w4g64", 8, 128);
    weight.parts.scales.set([0x7c00, 0x7e00], 3);
    await save(new Map([["m", weight]]));
    const checkpoint = await openCheckpoint(folder);
    const read = readQTensor(checkpoint, "m", moduleOf(weight));
    await expect(read).rejects.toThrow(NumericError);
    await expect(read).rejects.toThrow('"m.scales" has 2 NaN or infinite scales among its 16');
    await checkpoint.close();
  });
});

describe("quantization_config", () => {
  const valid = {
    quant_method: "fewbit",
    version: 1,
    scheme: "w4g64",
    modules: { m: { scheme: "w2", kind: "linear", shape: [4, 8] } },
  };
  const read = (changes: object): ReturnType<typeof readQuantizationConfig> =>
    readQuantizationConfig({ quantization_config: { ...valid, ...changes } });

  test("absent or null means not quantized", () => {
    expect(readQuantizationConfig({})).toBeNull();
    expect(readQuantizationConfig({ quantization_config: null })).toBeNull();
  });

  test("what is written is read, names such as __proto__ included", () => {
    const module = moduleOf(randomWeight("w3g32-sym", 2, 40));
    const modules = new Map([
      ["__proto__", module],
      ["a.b", { ...module, scheme: parseScheme("w1.58") }],
    ]);
    const written = writeQuantizationConfig(parseScheme("w3"), modules, { notes: { seed: 1 } });
    const config = readQuantizationConfig({
      quantization_config: JSON.parse(JSON.stringify(written)),
    });
    expect(config).toEqual({
      version: 1,
      scheme: parseScheme("w3"),
      kvCache: null,
      name: "w3",
      modules,
      stacks: new Map(),
      notes: { seed: 1 },
    });
  });

  test("stacks are read back, and are as many modules of one shape as they say", () => {
    const module = moduleOf(randomWeight("w4g32", 8, 64));
    const modules = new Map(["x.0", "x.1"].map((name) => [name, module]));
    const stacks = new Map([["x", { matrices: 2, transposed: true }]]);
    const written = writeQuantizationConfig(module.scheme, modules, { stacks });
    const config = readQuantizationConfig({ quantization_config: written });
    expect(config?.stacks).toEqual(stacks);
    expect(config?.notes).toEqual({});
    expect(stackModules("x.weight", { matrices: 2, transposed: false })).toEqual(["x.0", "x.1"]);
    const three = { ...written, stacks: { x: { matrices: 3, transposed: false } } };
    expect(() => readQuantizationConfig({ quantization_config: three })).toThrow(
      /the stack "x" is not 3 modules of one shape/,
    );
  });

  test("of a newer version, an unknown kind or another program is unsupported and says so", () => {
    expect(() => read({ version: 2, scheme: 5 })).toThrow(UnsupportedError);
    expect(() => read({ version: 2 })).toThrow(/made by a newer fewbit: format version 2/);
    const modules = { m: { ...valid.modules.m, kind: "rotated" } };
    expect(() => read({ modules })).toThrow(UnsupportedError);
    expect(() => read({ quant_method: "gptq" })).toThrow(/another program \(quant_method "gptq"\)/);
    expect(() => read({ quant_method: undefined })).toThrow(UnsupportedError);
  });

  test("that is malformed is a FormatError that names the place", () => {
    const module = (change: object): object => ({
      modules: { m: { ...valid.modules.m, ...change } },
    });
    const cases: [object, RegExp][] = [
      [{ version: "1" }, /quantization_config: version/],
      [{ version: 0 }, /version/],
      [{ scheme: "q4" }, /"q4" is not a scheme id/],
      [{ scheme: undefined }, /scheme/],
      [module({ kind: "onebit" }), /scheme w2 belongs to the kind linear, not onebit/],
      [module({ scheme: "w1-onebit" }), /belongs to the kind onebit, not linear/],
      [{ modules: [] }, /modules: expected an object/],
      [{ stacks: { m: { matrices: 0, transposed: false } } }, /stacks\.m\.matrices/],
      [{ stacks: { m: { matrices: 1e9, transposed: false } } }, /stacks\.m\.matrices/],
      [{ stacks: { m: { matrices: 1 } } }, /stacks\.m\.transposed/],
      [{ modules: { m: 1 } }, /module "m"/],
      [module({ shape: [4] }), /module "m": shape/],
      [module({ shape: [4, 0] }), /module "m": shape\[1\]/],
      [module({ shape: [4, 1.5] }), /module "m": shape\[1\]/],
      [module({ scheme: "q4_k" }), /module "m": scheme q4_k: rows of 8 columns/],
      [module({ scheme: "w5" }), /module "m": scheme w5: 5 bits is not offered/],
    ];
    for (const [change, message] of cases) {
      expect(() => read(change), JSON.stringify(change)).toThrow(FormatError);
      expect(() => read(change), JSON.stringify(change)).toThrow(message);
    }
    expect(() => readQuantizationConfig({ quantization_config: 4 })).toThrow(FormatError);
  });
});
