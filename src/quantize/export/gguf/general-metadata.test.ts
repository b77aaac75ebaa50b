import { describe, expect, test } from "vitest";
import { generalMetadata, type ModelFacts, sizeLabel } from "./general-metadata.ts";

const facts: ModelFacts = {
  architecture: "llama",
  name: "small",
  fileType: 2,
  parameters: 134_515_008,
  card: null,
  repository: null,
  generation: {},
  quantization: null,
  run: null,
};

const valuesOf = (given: Partial<ModelFacts>): Record<string, unknown> =>
  Object.fromEntries(
    [...generalMetadata({ ...facts, ...given })].map(([key, value]) => [
      key,
      value.type === "array" ? value.values : value.value,
    ]),
  );

describe("general metadata", () => {
  test("says what every reader asks for", () => {
    expect(valuesOf({})).toMatchObject({
      "general.architecture": "llama",
      "general.type": "model",
      "general.name": "small",
      "general.size_label": "135M",
      "general.file_type": 2,
      "general.quantization_version": 2,
      "general.quantized_by": expect.stringMatching(/^fewbit \d/),
    });
  });

  test("names licence and origin: those of the card, or the repository it is from", () => {
    const card = {
      license: "apache-2.0",
      licenseName: null,
      licenseLink: null,
      baseModels: ["a/b", "c"],
      languages: ["en"],
      tags: [],
    };
    const values = valuesOf({ card, repository: "d/e" });
    expect(values).toMatchObject({
      "general.license": "apache-2.0",
      "general.languages": ["en"],
      "general.repo_url": "https://huggingface.co/d/e",
      "general.base_model.count": 2,
      "general.base_model.0.name": "b",
      "general.base_model.0.organization": "a",
      "general.base_model.0.repo_url": "https://huggingface.co/a/b",
      "general.base_model.1.name": "c",
    });
    expect(values).not.toHaveProperty(["general.tags"]);
    expect(valuesOf({ repository: "d/e" })).toMatchObject({ "general.base_model.0.name": "e" });
  });

  test("keeps sampling, quantization and run", () => {
    const values = valuesOf({
      generation: { temperature: 0.7, top_k: 40, top_p: "wrong", do_sample: true },
      quantization: { scheme: "w4g64", method: "gptq", modules: {} },
      run: { identity: "abc" },
    });
    expect(values).toMatchObject({
      "general.sampling.temp": 0.7,
      "general.sampling.top_k": 40,
      "fewbit.scheme": "w4g64",
      "fewbit.method": "gptq",
      "fewbit.quantization": '{"scheme":"w4g64","method":"gptq","modules":{}}',
      "fewbit.run": '{"identity":"abc"}',
    });
    expect(values).not.toHaveProperty(["general.sampling.top_p"]);
  });
});

test.each([
  [134_515_008, "135M"],
  [1_235_814_400, "1.2B"],
  [70_553_706_496, "71B"],
  [8_030_261_248, "8.0B"],
  [260_032, "260K"],
  [5_120, "5.1K"],
])("%i parameters are called %s", (parameters, label) => {
  expect(sizeLabel(parameters)).toBe(label);
});
