import { FakeQuantized } from "../../quant/fake-quantized.ts";
import { FakeQuantizedBlocks } from "../../quant/fake-quantized-blocks.ts";
import { moveIntoBins } from "../../quant/move-into-bins.ts";
import type { QTensor } from "../../quant/q-tensor.ts";
import { copyInto } from "../../tensor/ops.ts";
import { Tensor } from "../../tensor/tensor.ts";
import type { LatentStart } from "./trained-slots.ts";

/**
 * Makes a latent weight of a float one `[out, in]`, which it takes over, that begins with what a
 * quantizer chose for it: with its scales and zero points, and the weights where they round to its
 * codes (`moveIntoBins`).
 */
export async function latentFromStart(
  weight: Tensor<"f32">,
  start: QTensor,
  margin: number,
): Promise<LatentStart> {
  const { scheme } = start;
  await moveToStart(weight, start, margin);
  const latent = scheme.blocks
    ? FakeQuantizedBlocks.of(weight, scheme, start.unpackBlockScales())
    : FakeQuantized.startedBy(weight, start);
  return { weight: latent, packed: start };
}

/** Moves a weight `[out, in]`, in place and by the least, to where it rounds to a quantizer's codes. */
export async function moveToStart(
  weight: Tensor<"f32">,
  start: QTensor,
  margin: number,
): Promise<void> {
  const values = await weight.read();
  moveIntoBins(values, start, margin);
  copyInto(weight, Tensor.from(weight.backend, "f32", weight.shape, values));
}
