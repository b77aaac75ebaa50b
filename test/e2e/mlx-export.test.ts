import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { exportCheckpoint } from "../../src/quantize/export-checkpoint.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import type { MlxExport } from "../../src/quantize/export/mlx/mlx.ts";
import { verifyMlx } from "../../src/quantize/export/mlx/verify-mlx.ts";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

const backend = createReferenceBackend();
const left: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of left.splice(0)) await remove();
});

async function exportTiny(scheme: string, dtype: "f16" | "bf16" | "f32" = "f16") {
  const tiny = await writeTinyCheckpoint({
    scheme,
    config: { hidden_size: 64, intermediate_size: 128 },
    fitting: true,
  });
  left.push(tiny.remove);
  const out = join(await temporaryFolder(), "out");
  const notices: string[] = [];
  const options = {
    format: "mlx",
    out,
    dtype,
    verify: true,
    onNotice: (each: string) => notices.push(each),
  } as const;
  const result = await exportCheckpoint({ directory: tiny.path, backend }, options);
  return { source: tiny.path, out, result, notices };
}

async function temporaryFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "fewbit-mlx-"));
  left.push(() => rm(folder, { recursive: true }));
  return folder;
}

async function readModules(path: string) {
  const checkpoint = await openAnyCheckpoint(path);
  const modules = [...(readQuantizationConfig(checkpoint.config)?.modules ?? [])];
  const read = modules.map(
    async ([name, module]) => [name, await readQTensor(checkpoint, name, module)] as const,
  );
  const weights = new Map(await Promise.all(read));
  await checkpoint.close();
  return weights;
}

/** Schemes that come back as they were, and how their biases are stored in float16. */
const exact: readonly (readonly [scheme: string, back: string, biases: "exact" | "rounded"])[] = [
  ["w1g64", "w1g64", "exact"],
  ["w1.58", "w1.58", "exact"],
  ["w2-seq", "w2-seq", "rounded"],
  ["w2g32", "w2g32", "rounded"],
  ["w2g64-sym", "w2g64-sym", "exact"],
  ["w3", "w3", "rounded"],
  ["w4g64", "w4g64", "rounded"],
  ["w4g32-sym", "w4g32-sym", "exact"],
  ["w8g64", "w8g64", "rounded"],
  ["w8-sym", "w8-sym", "exact"],
  ["w8-narrow", "w8-narrow", "rounded"],
];

for (const [scheme, back, biases] of exact) {
  test(`${scheme} goes to MLX and comes back with its codes, scales and zero points`, async () => {
    const { source, out, result } = await exportTiny(scheme);
    if (biases === "exact") expect(result).toMatchObject({ roundedBiases: 0 });
    expect(result).toMatchObject({ verification: { otherWeights: 0 } });
    const [before, after] = [await readModules(source), await readModules(out)];
    expect([...after.keys()].sort()).toEqual([...before.keys()].sort());
    for (const [name, weight] of before) {
      const other = after.get(name);
      // Where one group is a row, its size says nothing.
      const isRow = weight.inFeatures === weight.scheme.groupSize;
      expect(other?.scheme.id, name).toBe(isRow ? back.replace(/g\d+/, "") : back);
      expect(other?.parts, name).toEqual(weight.parts);
    }
  });
}

test("blocks that MLX's own codes lie in go out as MLX had them", async () => {
  const source = new URL("../golden/checkpoints/mlx-bf16/", import.meta.url).pathname;
  const out = join(await temporaryFolder(), "out");
  const result = await exportCheckpoint({ directory: source, backend }, { format: "mlx", out });
  expect(result).toMatchObject({ roundedBiases: 0 });
  const [before, after] = [await readModules(source), await readModules(out)];
  const schemes = new Set([...before.values()].map(({ scheme }) => scheme.id));
  expect(schemes).toContain("q4_1");
  expect(schemes).toContain("q5_1");
  for (const [name, weight] of before) {
    expect(after.get(name)?.scheme.id, name).toBe(weight.scheme.id);
    expect(after.get(name)?.parts, name).toEqual(weight.parts);
  }
});

test("the rotary embedding stands where mlx_lm looks for it", async () => {
  const tiny = await writeTinyCheckpoint({
    scheme: "w4g32",
    config: {
      hidden_size: 64,
      intermediate_size: 128,
      rope_parameters: { rope_theta: 5000, rope_type: "default" },
    },
    fitting: true,
  });
  left.push(tiny.remove);
  const out = join(await temporaryFolder(), "out");
  await exportCheckpoint({ directory: tiny.path, backend }, { format: "mlx", out });
  const config = JSON.parse(await readFile(join(out, "config.json"), "utf8")) as object;
  expect(config).toMatchObject({ rope_theta: 5000 });
});

test("float32 holds every product of scale and zero point", async () => {
  const { source, out, result } = await exportTiny("w8g64", "f32");
  expect(result).toMatchObject({ roundedBiases: 0, dtype: "f32" });
  const [before, after] = [await readModules(source), await readModules(out)];
  for (const [name, weight] of before) expect(after.get(name)?.parts).toEqual(weight.parts);
});

test("verification counts the weights that a rounded bias changed", async () => {
  const source = new URL("../golden/checkpoints/hqq-3/", import.meta.url).pathname;
  const out = join(await temporaryFolder(), "out");
  const options = { format: "mlx", out, verify: true } as const;
  const { verification } = (await exportCheckpoint(
    { directory: source, backend },
    options,
  )) as MlxExport;
  const before = await readModules(source);
  const weights = [...before.values()].reduce((sum, each) => sum + each.dequantize().length, 0);
  expect(verification?.otherWeights).toBeGreaterThan(0);
  expect((verification?.sameWeights ?? 0) + (verification?.otherWeights ?? 0)).toBe(weights);
});

test("a code that the disk changed fails the verification", async () => {
  const { source, out } = await exportTiny("w4g64");
  const [before, after] = [await openAnyCheckpoint(source), await openAnyCheckpoint(out)];
  left.push(
    () => before.close(),
    () => after.close(),
  );
  const modules = readQuantizationConfig(before.config)?.modules ?? new Map();
  const written = { source: before, modules, rounded: new Map(), plain: [], dtype: "f16" } as const;
  expect(await verifyMlx(out, written)).toMatchObject({ otherWeights: 0 });
  const file = join(out, "model.safetensors");
  const bytes = await readFile(file);
  const header = JSON.parse(bytes.subarray(8, 8 + Number(bytes.readBigUInt64LE())).toString());
  const [module] = modules.keys();
  const {
    data_offsets: [begin],
  } = header[`${module}.weight`];
  bytes[8 + Number(bytes.readBigUInt64LE()) + begin] ^= 1;
  await writeFile(file, bytes);
  await expect(verifyMlx(out, written)).rejects.toThrow(
    /weights of .* are not what was to be written/,
  );
});

test.each([
  ["w4g64-nf4", /values are not evenly spaced/],
  ["w1-svid", /values are not evenly spaced/],
  ["w4g16", /groups of 16 columns/],
  ["w1a1", /round their inputs/],
])("%s is refused", async (scheme, reason) => {
  await expect(exportTiny(scheme)).rejects.toThrow(reason);
});

test("scales that the dtype does not hold are refused, with the dtype that does", async () => {
  await expect(exportTiny("w4g64", "bf16")).rejects.toMatchObject({
    hint: "export with `dtype: f32`, which holds them",
  });
});
