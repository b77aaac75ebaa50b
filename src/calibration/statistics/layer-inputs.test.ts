import { expect, test } from "vitest";
import { goldenMatrix } from "../../../test/golden/golden-matrix.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import type { LinearSlot } from "../../nn/linear.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { LayerInputs } from "./layer-inputs.ts";

const backend = createReferenceBackend();
const [tokens, width] = [24, 16];
const inputs = goldenMatrix(tokens, width, 3);
const slot = { name: "down_proj" } as LinearSlot;

test("second moments and magnitudes are those of inputs times the factors of their tokens", async () => {
  const factors = Float32Array.from({ length: tokens }, (_, t) => 0.5 + t / 8);
  const all = new LayerInputs(["hessian", "magnitudes", "energies"]);
  const input = Tensor.from(backend, "f32", [1, tokens, width], inputs.slice());
  all.observe(slot, input, Tensor.from(backend, "f32", [tokens], factors));
  const gathered = all.of(slot);
  const moments = await gathered?.hessian?.moments();
  const means = await gathered?.magnitudes?.means();
  const energies = await gathered?.energies?.sums();
  for (let i = 0; i < width; i++) {
    let [moment, magnitude, energy] = [0, 0, 0];
    for (let t = 0; t < tokens; t++) {
      const [x, next] = [inputs[t * width + i], inputs[t * width + ((i + 1) % width)]];
      moment += factors[t] ** 2 * x * next;
      magnitude += (factors[t] * Math.abs(x)) / tokens;
      energy += x * x;
    }
    expect(moments?.[i * width + ((i + 1) % width)]).toBeCloseTo(moment, 4);
    expect(means?.[i]).toBeCloseTo(magnitude, 5);
    expect(energies?.[i]).toBeCloseTo(energy, 4);
  }
  const sample = (await gathered?.sample.read()) as Float32Array;
  expect([...sample]).toEqual([...inputs]);
});
