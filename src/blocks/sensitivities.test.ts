import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { createReferenceBackend } from "../kernels/reference/index.ts";
import type { DecoderBlock } from "../models/decoder-weights.ts";
import { floatLinear } from "../nn/scale-channels.ts";
import { openModel, type OpenedModel } from "../runtime/load.ts";
import { Tensor } from "../tensor/tensor.ts";
import { Sensitivities } from "./sensitivities.ts";

const backend = createReferenceBackend();
/** Predictions of a model of small random weights hardly depend on anything. */
const sharpen = (name: string, values: Float32Array): void => {
  const factor = /embed_tokens|lm_head/.test(name) ? 30 : 4;
  if (values.length > 64) for (let i = 0; i < values.length; i++) values[i] *= factor;
};
const windows = [Int32Array.of(5, 9, 12, 7, 20, 11), Int32Array.of(8, 8, 30, 6, 17, 10)];
const length = windows[0].length;

let folder = "";
let tiny: TinyCheckpoint;
let opened: OpenedModel;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-sensitivities-"));
  const config = { num_hidden_layers: 3 };
  tiny = await writeTinyCheckpoint({ modelCase: "llama", config, fitting: true, edit: sharpen });
  opened = await openModel(tiny.path, { backend, precision: "float32" });
});
afterAll(async () => {
  await opened.checkpoint.close();
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

function measure(of: readonly Int32Array[], firstBlock = 0): Promise<Sensitivities> {
  const { model } = opened;
  return Sensitivities.measure({
    model,
    windows: of,
    given: null,
    linears: model.linears().filter(({ block }) => block >= firstBlock),
    folder: join(folder, "files"),
    report: () => {},
    signal: undefined,
  });
}

async function valuesOf(of: readonly Int32Array[], block: number, slot: string) {
  const measured = await measure(of);
  const values = await (await measured.of(block, slot))?.read();
  await measured.release();
  return values ?? new Float32Array();
}

/** Sum of `−log p(next token)` of a window, with a weight moved. */
async function lossOf(
  window: Int32Array,
  move: { block: number; slot: string; at: number; by: number },
): Promise<number> {
  const { model } = opened;
  let hidden = model.embed(Tensor.from(backend, "i32", [1, length], window.slice()));
  for (let index = 0; index < model.blockCount; index++) {
    const block: DecoderBlock = await model.loadBlock(index);
    if (index === move.block) {
      (floatLinear(block, move.slot).weight.storage as Float32Array)[move.at] += move.by;
    }
    hidden = model.forwardBlock(block, hidden, { position: 0 }) as Tensor<"f32">;
  }
  const logits = await model.logits(hidden.reshape([length, model.hiddenSize])).read();
  const vocabulary = logits.length / length;
  let loss = 0;
  for (let row = 0; row + 1 < length; row++) {
    const own = logits.subarray(row * vocabulary, (row + 1) * vocabulary);
    const most = Math.max(...own);
    const sum = own.reduce((total, x) => total + Math.exp(x - most), 0);
    loss += most + Math.log(sum) - own[window[row + 1]];
  }
  return loss;
}

test.each([
  [0, "self_attn.q_proj"],
  [1, "mlp.down_proj"],
  [2, "self_attn.v_proj"],
])("of block %i, %s: squares of differences of the loss", async (block, slot) => {
  const [window] = windows;
  const found = await valuesOf([window], block, slot);
  const largest = [...found.keys()].sort((a, b) => found[b] - found[a]).slice(0, 3);
  expect(found[largest[0]]).toBeGreaterThan(0);
  for (const at of largest) {
    const step = 4e-3;
    const [more, less] = await Promise.all(
      [step, -step].map((by) => lossOf(window, { block, slot, at, by })),
    );
    const difference = (more - less) / (2 * step);
    expect(difference ** 2 / found[at]).toBeGreaterThan(0.93);
    expect(difference ** 2 / found[at]).toBeLessThan(1.07);
  }
});

test("are sums of the squares of windows, not squares of sums, however many go together", async () => {
  const place = [1, "self_attn.o_proj"] as const;
  const single = [await valuesOf([windows[0]], ...place), await valuesOf([windows[1]], ...place)];
  const both = await valuesOf(windows, ...place);
  const many = await valuesOf(
    Array.from({ length: 344 }, (_, i) => windows[i % 2]),
    ...place,
  );
  for (const [i, sum] of both.entries()) {
    expect(Math.abs(single[0][i] + single[1][i] - sum)).toBeLessThan(1e-5 * (1 + sum));
    expect(Math.abs(many[i] / 172 - sum)).toBeLessThan(1e-4 * (1 + sum));
  }
});

test("of blocks that are finished are not measured; files go with the rest", async () => {
  const measured = await measure(windows, 2);
  expect(await measured.of(1, "mlp.up_proj")).toBeNull();
  expect((await measured.of(2, "mlp.up_proj"))?.size).toBeGreaterThan(0);
  expect(existsSync(join(folder, "files"))).toBe(true);
  await measured.release();
  expect(existsSync(join(folder, "files"))).toBe(false);
});
