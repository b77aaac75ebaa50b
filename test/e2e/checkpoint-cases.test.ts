import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, test } from "vitest";
import { evaluate, load, UnsupportedError } from "../../src/index.ts";

const cases = fileURLToPath(new URL("../../../shared/cases", import.meta.url));

describe.skipIf(!existsSync(cases))("checkpoints as people have them (../shared/cases)", () => {
  test.each([
    ["tied-flag-with-own-head", 225.98989],
    ["mistral-layer-types", 221.708191],
    ["rope-scaling-beside-rope-parameters", 241.024337],
    ["base-model-without-prefix", 320.416382],
    ["safetensors-metadata-null", 215.865265],
  ])("%s has the perplexity that transformers gives it, %f", async (name, expected) => {
    const text = `${cases}/${name}/text.txt`;
    const { perplexity } = await evaluate(`${cases}/${name}/model`, { text, window: 48 });
    expect(Math.abs(perplexity / expected - 1)).toBeLessThan(1e-5);
  });

  test("an adapter beside scales is refused", async () => {
    await expect(load(`${cases}/unexpected-tensors/model`)).rejects.toThrow(UnsupportedError);
  });
});
