import { BlockLoss } from "../../src/methods/shared/block-loss.ts";
import type { Pair } from "../../src/methods/shared/window-pairs.ts";
import { floatLinear } from "../../src/nn/scale-channels.ts";
import { Linear } from "../../src/nn/linear.ts";
import type { Block, QuantizableModel } from "../../src/nn/quantizable-model.ts";
import { FakeQuantized } from "../../src/quant/fake-quantized.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import type { Parameter } from "../../src/training/parameter.ts";
import type { TrainOptions } from "../../src/training/training-loop.ts";

/**
 * Makes steps of Block-AP at w2g64 of one batch of inputs `[windows, length, hiddenSize]`, towards
 * what the block gives for them now; latent weights stand in its slots from then on.
 */
export async function blockApSteps(
  place: { readonly model: QuantizableModel; readonly block: Block },
  input: Tensor<"f32">,
): Promise<Pick<TrainOptions, "parameters" | "schedule" | "optimizer" | "loss">> {
  const { model, block } = place;
  const { backend } = input;
  const output = model.forwardBlock(block, input, { position: 0 }) as Tensor<"f32">;
  // A tensor over an array of ours is not given back when a step is done with it.
  const held = async (t: Tensor<"f32">) => Tensor.from(backend, "f32", t.shape, await t.read());
  const pair: Pair = {
    input: await held(input),
    target: await held(output),
    weights: null,
    factors: null,
  };
  const parameters: Parameter[] = [];
  for (const slot of block.slots) {
    const { weight } = floatLinear(block, slot.name);
    const quantized = await FakeQuantized.of(weight, parseScheme("w2g64"));
    slot.layer = new Linear(backend, quantized);
    for (const { role, value } of quantized.parameters) {
      const group = role === "weight" ? "weights" : "scales";
      parameters.push({ name: `${slot.name}.${role}`, value, group });
    }
  }
  const loss = new BlockLoss(place, parameters, "auto");
  return {
    parameters,
    schedule: { kind: "constant" },
    optimizer: { groups: { weights: { learningRate: 2e-5 }, scales: { learningRate: 1e-4 } } },
    loss: () => loss.ofBatch(pair),
  };
}
