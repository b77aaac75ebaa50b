import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, expect, test } from "vitest";
import { createReferenceBackend } from "../../src/kernels/reference/index.ts";
import { gptqContainer } from "../../src/quantize/export/containers/gptq.ts";
import { planContainer } from "../../src/quantize/export/containers/plan-container.ts";
import { verifyContainer } from "../../src/quantize/export/containers/verify-container.ts";
import type { ContainerExport } from "../../src/quantize/export/containers/write-container.ts";
import { exportCheckpoint } from "../../src/quantize/export-checkpoint.ts";
import { formatExport } from "../../src/report/export-summary.ts";
import { openModelCheckpoint } from "../../src/runtime/model-checkpoint.ts";
import { FormatError } from "../../src/util/errors.ts";
import { floatToHalfBits } from "../../src/util/half.ts";
import { writeTinyCheckpoint } from "../golden/tiny-checkpoint.ts";

const backend = createReferenceBackend();
const left: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const remove of left.splice(0)) await remove();
});

async function makeTiny(scheme: string) {
  const config = { hidden_size: 64, intermediate_size: 128 };
  const tiny = await writeTinyCheckpoint({ scheme, config, fitting: true });
  const folder = await mkdtemp(join(tmpdir(), "fewbit-container-"));
  left.push(tiny.remove, () => rm(folder, { recursive: true }));
  return { path: tiny.path, out: join(folder, "out") };
}

type ContainerId = ContainerExport["format"];

async function exportTo(format: ContainerId, { path, out }: { path: string; out: string }) {
  const asked = { format, out, verify: true, requantize: true } as const;
  return (await exportCheckpoint({ directory: path, backend }, asked)) as ContainerExport;
}

/** Changes the bytes of one tensor of a directory. */
async function edit(path: string, tensor: string, change: (bytes: Buffer) => void): Promise<void> {
  const file = join(path, "model.safetensors");
  const bytes = await readFile(file);
  const data = 8 + Number(bytes.readBigUInt64LE(0));
  const header = JSON.parse(bytes.toString("utf8", 8, data));
  const [begin, end] = header[tensor].data_offsets;
  change(bytes.subarray(data + begin, data + end));
  await writeFile(file, bytes);
}

const module = "model.layers.0.mlp.up_proj";
const thirds = (bytes: Buffer): void => {
  for (let at = 0; at < bytes.length; at += 2) bytes.writeUInt16LE(floatToHalfBits(3 / 32), at);
};

test.each(["gptq", "awq", "compressed-tensors"] as const)(
  "%s: what is exact is compared to the bit, and rounded scales are said",
  async (format) => {
    const tiny = await makeTiny("w1.58-seq");
    await edit(tiny.path, `${module}.scales`, thirds);
    const result = await exportTo(format, tiny);
    const { verification, modules, rounded } = result;
    expect(rounded).toBe(modules - 1);
    expect(verification?.sameWeights).toBeGreaterThanOrEqual(64 * 128);
    expect(verification?.rounded?.layers).toBe(rounded);
    expect(verification?.rounded?.largestDifference).toBeGreaterThan(0);
    expect(verification?.rounded?.largestDifference).toBeLessThanOrEqual(2 ** -11);
    expect(verification?.rounded?.worst).not.toBe(module);
    const said = formatExport(result).join("\n");
    expect(said).toMatch(
      /weights equal to the bit\n.* modules with rounded scales within 0\.0\d+ %/,
    );
  },
);

test("where nothing is rounded, all weights are equal", async () => {
  const { verification } = await exportTo("gptq", await makeTiny("w4g32"));
  expect(verification?.rounded).toBeNull();
  expect(verification?.sameWeights).toBeGreaterThan(64 * 128);
});

test("AWQ's one group size for all fits a layer that is one group wide", async () => {
  const tiny = await makeTiny("w4g64");
  const { verification } = await exportTo("awq", tiny);
  expect(verification?.sameWeights).toBeGreaterThan(64 * 128);
  const config = JSON.parse(await readFile(join(tiny.out, "config.json"), "utf8"));
  expect(config.quantization_config).toMatchObject({ bits: 4, group_size: 64 });
});

test.each([module, "model.layers.0.mlp.down_proj"])(
  "a code of %s that changed on the disk is found, beside rounded scales, too",
  async (changed) => {
    const tiny = await makeTiny("w1.58-seq");
    await edit(tiny.path, `${module}.scales`, thirds);
    await exportTo("gptq", tiny);
    const { checkpoint, config } = await openModelCheckpoint(tiny.path);
    const source = { checkpoint, config, path: tiny.path, name: "", origin: null, backend };
    const options = { out: tiny.out, requantize: true };
    const planned = await planContainer(gptqContainer, { ...source, record: null }, options);
    await verifyContainer(planned, tiny.out);
    await edit(tiny.out, `${changed}.qweight`, (bytes) => bytes.writeUInt8(bytes[9] ^ 1, 9));
    const found = verifyContainer(planned, tiny.out);
    await expect(found).rejects.toThrow(FormatError);
    await expect(found).rejects.toThrow(new RegExp(`${changed}: weight \\d+ is `));
    await checkpoint.close();
  },
);

test.each(["gptq", "awq", "compressed-tensors", "mlx", "onnx", "hf", "gguf"] as const)(
  "%s: a config.json of another model is refused before anything is made from it",
  async (format) => {
    const { path, out } = await makeTiny("w4g32");
    const file = join(path, "config.json");
    const config = JSON.parse(await readFile(file, "utf8"));
    await writeFile(file, JSON.stringify({ ...config, hidden_size: 1_000_000_000 }));
    const exported = exportCheckpoint({ directory: path, backend }, { format, out });
    await expect(exported).rejects.toThrow(
      /expected shape \[\d+, 1000000000\] by config\.json, got/,
    );
    await expect(readFile(out)).rejects.toThrow(/ENOENT/);
  },
);
