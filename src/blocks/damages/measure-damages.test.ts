import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../../kernels/reference/index.ts";
import { floatLinear } from "../../nn/scale-channels.ts";
import { parseScheme } from "../../quant/scheme.ts";
import { openModel, type OpenedModel } from "../../runtime/load.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { OriginalBlocks } from "../original-blocks.ts";
import { gradientOfLoss } from "../weight-gradients.ts";
import type { DamageMeasure } from "../../methods/shared/allocation/damage-measure.ts";
import { type LayerDamage, measureDamages } from "./measure-damages.ts";
import { roundWeight } from "./slot-damages.ts";

const backend = createReferenceBackend();
const windows = [Int32Array.of(5, 9, 12, 7, 20, 11), Int32Array.of(8, 8, 30, 6, 17, 10)];
const schemes = ["w2", "w4", "w8"].map((id) => parseScheme(id));

let folder = "";
let tiny: TinyCheckpoint;
let opened: OpenedModel;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-damages-"));
  tiny = await writeTinyCheckpoint({
    modelCase: "llama",
    config: { num_hidden_layers: 2 },
    fitting: true,
  });
  opened = await openModel(tiny.path, { backend, precision: "float32" });
});
afterAll(async () => {
  await opened.checkpoint.close();
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

async function measure(
  how: Exclude<DamageMeasure, "divergence">,
  { onDisk = false, of = windows, blocks = [0, 1] } = {},
): Promise<Map<string, LayerDamage>> {
  const found = new Map<string, LayerDamage>();
  await measureDamages({
    model: opened.model,
    windows: of,
    measure: how,
    linears: opened.model.linears().filter(({ block }) => blocks.includes(block)),
    schemesOf: () => schemes,
    folder: onDisk ? join(folder, "streams") : null,
    onBlock: async (block, damages) => {
      for (const damage of damages) found.set(`${block}.${damage.slot}`, damage);
    },
    report: () => {},
    signal: undefined,
  });
  return found;
}

/** `∂L/∂Y` and inputs of the last layer of the last block, by hand: the residual stream follows. */
async function byHand(): Promise<number[]> {
  const { model } = opened;
  const blocks = new OriginalBlocks(model, undefined);
  const ids = Int32Array.from(windows.flatMap((window) => [...window]));
  let hidden = model.embed(Tensor.from(backend, "i32", [2, 6], ids));
  hidden = blocks.forward(await model.loadBlock(0), hidden);
  const last = await model.loadBlock(1);
  const inputs: Float32Array[] = [];
  const out = model.forwardBlock(last, hidden, {
    position: 0,
    observe: (slot, input) => {
      if (slot.name === "mlp.down_proj") inputs.push(input.readNow() as Float32Array);
    },
  }) as Tensor<"f32">;
  const gradient = await (await gradientOfLoss(blocks, out, windows)).read();
  const { weight } = floatLinear(last, "mlp.down_proj");
  const floats = await weight.read();
  const [rows = 0, columns = 0] = weight.shape;
  const damages: number[] = [];
  for (const scheme of schemes) {
    const decoded = (await roundWeight("down", weight, scheme)).dequantize();
    let sum = 0;
    for (let token = 0; token < 12; token++) {
      for (let row = 0; row < rows; row++) {
        let change = 0;
        for (let j = 0; j < columns; j++) {
          const at = row * columns + j;
          change += inputs[0][token * columns + j] * (decoded[at] - floats[at]);
        }
        sum += (gradient[token * rows + row] * change) ** 2;
      }
    }
    damages.push(sum);
  }
  return damages;
}

describe("measureDamages", () => {
  it("by fisher is the sum of squares of gradients by outputs times their changes", async () => {
    const expected = await byHand();
    const found = (await measure("fisher")).get("1.mlp.down_proj");
    expect(found?.tokens).toBe(12);
    for (const [i, value] of expected.entries()) {
      expect(value).toBeGreaterThan(0);
      expect((found?.damages[i] ?? 0) / value).toBeCloseTo(1, 3);
    }
  });

  it.each(["fisher", "gradient", "importance"] as const)(
    "by %s: every layer, less the more bits; the same from files, and of the blocks asked for",
    async (how) => {
      const all = await measure(how);
      expect([...all.keys()].sort()).toEqual(
        opened.model
          .linears()
          .map(({ block, slot }) => `${block}.${slot}`)
          .sort(),
      );
      for (const { damages } of all.values()) {
        expect(damages[0]).toBeGreaterThan(damages[1]);
        expect(damages[1]).toBeGreaterThan(damages[2]);
        expect(damages[2]).toBeGreaterThan(0);
      }
      expect(await measure(how, { onDisk: true })).toEqual(all);
      for (const block of [0, 1]) {
        const some = await measure(how, { blocks: [block] });
        expect(some.size).toBe(all.size / 2);
        for (const [name, damage] of some) expect(damage).toEqual(all.get(name));
      }
    },
  );
});
