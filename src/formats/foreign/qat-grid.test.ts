import { expect, test } from "vitest";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { openAnyCheckpoint } from "../../runtime/open-checkpoint.ts";
import {
  bfloatBitsToFloat,
  floatToBfloatBits,
  floatToHalfBits,
  halfBitsToFloat,
} from "../../util/half.ts";
import { readQTensor } from "../fewbit-format.ts";
import { readQuantizationConfig } from "../quantization-config.ts";
import { readFloatTensor } from "../read-float-tensor.ts";

const round = (value: number): number => bfloatBitsToFloat(floatToBfloatBits(value));

/** A bfloat16 checkpoint whose linear layers are `scale·k`, k from −8 to 7 in groups of 32. */
async function writeTrained(spoil: (name: string, values: Float32Array) => void = () => {}) {
  let state = 1;
  const draw = (): number => {
    state = (Math.imul(1664525, state) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
  return writeTinyCheckpoint({
    dtype: "bfloat16",
    config: { hidden_size: 64, intermediate_size: 128 },
    fitting: true,
    edit: (name, values) => {
      if (!name.endsWith("_proj.weight")) return;
      for (let at = 0; at < values.length; at += 32) {
        const scale = halfBitsToFloat(floatToHalfBits((draw() - 0.5) * 0.1));
        for (let i = at; i < at + 32; i++) values[i] = round(scale * (Math.floor(16 * draw()) - 8));
      }
      spoil(name, values);
    },
  });
}

test("scales and codes of weights that were trained on a grid are recovered, every weight to the bit", async () => {
  const tiny = await writeTrained();
  const plain = await openAnyCheckpoint(tiny.path);
  const packed = await openAnyCheckpoint(tiny.path, { fromQat: "q4_0" });
  const modules = readQuantizationConfig(packed.config)?.modules ?? new Map();
  expect(modules.size).toBe(14);
  for (const [name, module] of modules) {
    const weight = await readQTensor(packed, name, module);
    expect(weight.scheme.id).toBe("q4_0");
    const { values } = await readFloatTensor(plain, `${name}.weight`);
    expect(
      weight.dequantize().map((value) => round(value) + 0),
      name,
    ).toEqual(values.map((value) => value + 0));
  }
  await plain.close();
  await packed.close();
  await tiny.remove();
});

test("one weight beside the grid is refused, with its tensor and place", async () => {
  const tiny = await writeTrained((name, values) => {
    if (name.includes("layers.1.self_attn.v_proj"))
      values[64 + 37] = round(values[64 + 36] * 1.37 + 1e-3);
  });
  await expect(openAnyCheckpoint(tiny.path, { fromQat: "q4_0" })).rejects.toThrow(
    /layers\.1\.self_attn\.v_proj\.weight.*: 1 of \d+ groups are not on the grid: the worst, in row 1 from column 32 on, misses it by 0\.\d+ steps/,
  );
  await tiny.remove();
});

test("schemes with zero points are refused", async () => {
  const tiny = await writeTrained();
  await expect(openAnyCheckpoint(tiny.path, { fromQat: "w4g32" })).rejects.toThrow(
    /scheme w4g32: its scales cannot be recovered/,
  );
  await tiny.remove();
});
