import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, expect, test } from "vitest";
import { CheckpointWriter } from "../../src/formats/checkpoint-writer.ts";
import { readQTensor } from "../../src/formats/fewbit-format.ts";
import { readQuantizationConfig } from "../../src/formats/quantization-config.ts";
import type { QTensor } from "../../src/quant/q-tensor.ts";
import { awqContainer } from "../../src/quantize/export/containers/awq.ts";
import { compressedTensorsContainer } from "../../src/quantize/export/containers/compressed-tensors.ts";
import type { Container } from "../../src/quantize/export/containers/container.ts";
import { gptqContainer } from "../../src/quantize/export/containers/gptq.ts";
import {
  type IntegerForm,
  integerForm,
  integerLayer,
} from "../../src/quantize/export/containers/integer-layer.ts";
import { openAnyCheckpoint } from "../../src/runtime/open-checkpoint.ts";
import { FormatError } from "../../src/util/errors.ts";
import { Scratch } from "../../src/util/scratch.ts";
import type { JsonRecord } from "../../src/util/json.ts";
import { exportedSchemes, spreadWeight } from "../fixtures/spread-weight.ts";

const containers: readonly Container[] = [gptqContainer, awqContainer, compressedTensorsContainer];
const folder = mkdtempSync(join(tmpdir(), "fewbit-containers-"));
const module = "model.layers.0.mlp.up_proj";
const [outFeatures, inFeatures] = [32, 192];

afterAll(() => rmSync(folder, { recursive: true }));

/** Writes a weight to a container; null where the container refuses it. */
async function writeTo(
  container: Container,
  weight: QTensor,
  name: string,
): Promise<string | null> {
  const layer = integerLayer(weight);
  const form = layer && integerForm(layer, container.bits);
  if (!layer || !form || layer.rounded || container.refuse(form)) return null;
  const { symmetric } = form;
  const layers = { forms: new Map([[module, form]]), plain: ["lm_head"], symmetric };
  const parts = container.parts(module, form, layers);
  const path = mkdtempSync(join(folder, `${name}-`));
  const writer = await CheckpointWriter.create(path, parts);
  for (const part of parts) {
    let at = 0;
    for (const piece of part.make(layer, new Scratch())) {
      await writer.write(part.name, piece, at);
      at += piece.byteLength;
    }
  }
  await writer.finish();
  const config = { model_type: "llama", quantization_config: container.settings(layers) };
  writeFileSync(join(path, "config.json"), JSON.stringify(config));
  return path;
}

for (const id of exportedSchemes) {
  for (const container of containers) {
    test(`${container.id}: what it holds of ${id} comes back with the same values`, async () => {
      const weight = spreadWeight(id, outFeatures, inFeatures);
      const path = await writeTo(container, weight, `${container.id}-${id}`);
      if (!path) return;
      const checkpoint = await openAnyCheckpoint(path);
      const found = readQuantizationConfig(checkpoint.config)?.modules.get(module);
      expect(found).toBeDefined();
      if (!found) return;
      const read = await readQTensor(checkpoint, module, found);
      expect(read.dequantize()).toEqual(weight.dequantize());
      expect(read.scheme.activation).toEqual(weight.scheme.activation);
      if (found.scheme === weight.scheme) expect(read.parts).toEqual(weight.parts);
      await checkpoint.close();
    });
  }
}

test.each([
  ["bits", 8, /qweight.*rows of words/],
  ["group_size", 64, /scales.*expected the shape/],
  ["pack_dtype", "int16", /`pack_dtype`/],
  ["checkpoint_format", "marlin", /`checkpoint_format`/],
])(
  "gptq: a configuration whose `%s` is %s is refused, naming it",
  async (field, value, message) => {
    const path = (await writeTo(
      gptqContainer,
      spreadWeight("w4g32", outFeatures, inFeatures),
      "bad",
    )) as string;
    const file = join(path, "config.json");
    const config = JSON.parse(readFileSync(file, "utf8")) as {
      quantization_config: Record<string, unknown>;
    };
    config.quantization_config[field] = value;
    writeFileSync(file, JSON.stringify(config));
    await expect(openAnyCheckpoint(path)).rejects.toThrow(message);
  },
);

test("compressed-tensors: transformers decodes zero points where it leaves nothing out", () => {
  const form = { groupSize: 32, activation: null, outFeatures, inFeatures, bits: 4 };
  const said = (...forms: readonly IntegerForm[]): unknown => {
    const named = new Map(forms.map((each, i) => [`${module}${i}`, each] as const));
    const layers = { forms: named, plain: [], symmetric: false };
    return (compressedTensorsContainer.settings(layers) as JsonRecord).dequantize;
  };
  const asymmetric = { ...form, symmetric: false };
  expect(said(asymmetric)).toBe(true);
  expect(said({ ...form, symmetric: true })).toBeUndefined();
  expect(said({ ...asymmetric, activation: { bits: 8, mode: "token" } })).toBeUndefined();
  expect(said(asymmetric, { ...asymmetric, bits: 8 })).toBeUndefined();
});

test("gptq: two configurations that say different things are refused", async () => {
  const path = (await writeTo(
    gptqContainer,
    spreadWeight("w4g32", outFeatures, inFeatures),
    "twice",
  )) as string;
  writeFileSync(join(path, "quantize_config.json"), JSON.stringify({ bits: 3, group_size: 32 }));
  await expect(openAnyCheckpoint(path)).rejects.toThrow(FormatError);
});
