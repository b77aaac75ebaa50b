import { expect, test } from "vitest";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import { InitialWeights } from "./initial-weights.ts";
import { decoderConfigOf, parseTrainConfig } from "./pretrain-config.ts";

const { model } = parseTrainConfig({
  model: { hidden_size: 32, intermediate_size: 48, num_hidden_layers: 8, num_attention_heads: 4 },
  data: { files: ["a"] },
});
const config = decoderConfigOf(model as NonNullable<typeof model>, 100);
const source = (seed: number) => new InitialWeights(createReferenceBackend(), config, seed, 0.02);
const valuesOf = async (name: string, seed = 0) => (await source(seed).tensor(name)).read();

const deviationOf = (values: Float32Array): number =>
  Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);

test("matrices are normal, those that add to the residual stream smaller by √(2·blocks)", async () => {
  const inner = await valuesOf("model.layers.0.mlp.up_proj.weight");
  const residual = await valuesOf("model.layers.0.mlp.down_proj.weight");
  expect(deviationOf(inner) / 0.02).toBeCloseTo(1, 1);
  expect((deviationOf(residual) / 0.02) * 4).toBeCloseTo(1, 1);
});

test("norms begin at 1", async () => {
  expect(new Set(await valuesOf("model.norm.weight"))).toEqual(new Set([1]));
});

test("a tensor depends on the seed and on its name, not on what was drawn before", async () => {
  const name = "model.layers.3.self_attn.q_proj.weight";
  const weights = source(0);
  await weights.tensor("model.embed_tokens.weight");
  expect(await (await weights.tensor(name)).read()).toEqual(await valuesOf(name));
  expect(await valuesOf(name, 1)).not.toEqual(await valuesOf(name));
  expect(await valuesOf("model.layers.4.self_attn.q_proj.weight")).not.toEqual(
    await valuesOf(name),
  );
});
