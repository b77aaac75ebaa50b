import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type TinyCheckpoint, writeTinyCheckpoint } from "../../test/golden/tiny-checkpoint.ts";
import { openCheckpoint } from "../formats/checkpoint.ts";
import { readImatrix } from "../formats/imatrix/read-imatrix.ts";
import { writeImatrix } from "../formats/imatrix/write-imatrix.ts";
import { makeImatrix, quantize } from "../index.ts";
import { FormatError, UsageError } from "../util/errors.ts";

const folder = mkdtempSync(join(tmpdir(), "fewbit-make-imatrix-"));
const text = join(folder, "text.txt");
const file = join(folder, "tiny.imatrix.gguf");
let tiny: TinyCheckpoint;
beforeAll(async () => {
  tiny = await writeTinyCheckpoint({ modelCase: "llama" });
  writeFileSync(text, "one two three four five six seven eight nine ten. ".repeat(60));
  const calibration = { files: [{ path: text }], samples: 4, window: 16 };
  await makeImatrix(tiny.path, { out: file, calibration, backend: "reference" });
});
afterAll(async () => {
  await tiny.remove();
  rmSync(folder, { recursive: true });
});

describe("makeImatrix", () => {
  test("measures every linear layer in blocks, q, k and v alike", async () => {
    const { entries, chunkCount, chunkSize, datasets } = await readImatrix(file);
    expect([chunkCount, chunkSize, datasets]).toEqual([4, 16, ["text.txt"]]);
    const slots = "attn_q attn_k attn_v attn_output ffn_gate ffn_up ffn_down".split(" ");
    const names = [...entries.keys()];
    for (const slot of slots) expect(names).toContain(`blk.0.${slot}.weight`);
    expect(names.length % slots.length).toBe(0);
    for (const { sums, counts } of entries.values()) {
      expect([...counts]).toEqual([64]);
      expect(sums.some((sum) => sum > 0)).toBe(true);
    }
    expect(entries.get("blk.0.attn_k.weight")).toEqual(entries.get("blk.0.attn_q.weight"));
  });

  test("does not replace a file unless told to", async () => {
    const options = { out: file, calibration: { files: [{ path: text }] } };
    const before = readFileSync(file);
    await expect(makeImatrix(tiny.path, options)).rejects.toThrow(UsageError);
    expect(readFileSync(file).equals(before)).toBe(true);
  });

  test("asks for text", async () => {
    const options = { out: join(folder, "no.gguf"), calibration: {} };
    await expect(makeImatrix(tiny.path, options)).rejects.toThrow(
      expect.objectContaining({ constructor: UsageError, field: "calibration" }),
    );
  });
});

describe("quantize with a file of importance", () => {
  const recipe = {
    method: "rtn" as const,
    scheme: "q4_0",
    ignore: ["mlp.down_proj"],
    backend: "reference" as const,
  };
  const weights = (out: string) => readFileSync(join(out, "model.safetensors"));

  test("chooses other blocks than without, the same again", async () => {
    const outs = ["plain", "first", "again"].map((name) => join(folder, name));
    await quantize(tiny.path, { ...recipe, out: outs[0] });
    await quantize(tiny.path, { ...recipe, out: outs[1], imatrix: file });
    await quantize(tiny.path, { ...recipe, out: outs[2], imatrix: file });
    expect(weights(outs[1]).equals(weights(outs[0]))).toBe(false);
    expect(weights(outs[1]).equals(weights(outs[2]))).toBe(true);
  });

  test("takes the calibration text where there is no file", async () => {
    const out = join(folder, "calibrated");
    const calibration = { files: [{ path: text }], samples: 4, window: 16 };
    await quantize(tiny.path, { ...recipe, out, calibration });
    expect(weights(out).equals(weights(join(folder, "plain")))).toBe(false);
  });

  test("refuses that of another model before any work", async () => {
    const other = join(folder, "other.gguf");
    const entry = { sums: Float32Array.of(1, 2), counts: Float32Array.of(1) };
    const entries = new Map([["blk.0.attn_q.weight", entry]]);
    await writeImatrix(other, { datasets: [], chunkCount: 1, chunkSize: 1, entries });
    const out = join(folder, "refused");
    const refused = quantize(tiny.path, { ...recipe, out, imatrix: other });
    await expect(refused).rejects.toThrow(FormatError);
  });

  test.each([
    [{ scheme: "w4g8" }, /only blocks/],
    [{ method: "hqq", scheme: "w4" }, /does not use/],
  ] as const)("is refused for %j", async (chosen, message) => {
    const out = join(folder, "unused");
    const refused = quantize(tiny.path, { ...recipe, ...chosen, out, imatrix: file });
    await expect(refused).rejects.toThrow(message);
  });
});

describe("experts of a mixture", () => {
  let mixture: TinyCheckpoint;
  const path = join(folder, "mixture.imatrix.gguf");
  beforeAll(async () => {
    const config = { hidden_size: 32, intermediate_size: 32, head_dim: 8 };
    mixture = await writeTinyCheckpoint({ modelCase: "mixtral", config, fitting: true });
    const calibration = { files: [{ path: text }], samples: 4, window: 16 };
    await makeImatrix(mixture.path, { out: path, calibration, backend: "reference" });
  });
  afterAll(() => mixture.remove());

  test("are rows of one entry, which counts the tokens of each", async () => {
    const { entries } = await readImatrix(path);
    for (const layer of ["gate", "up", "down"]) {
      const entry = entries.get(`blk.1.ffn_${layer}_exps.weight`);
      expect(entry?.sums).toHaveLength(4 * 32);
      // Each of 64 tokens goes to two experts.
      expect(entry?.counts.reduce((a, b) => a + b, 0)).toBe(2 * 64);
    }
    expect([...entries.keys()].some((name) => /experts/.test(name))).toBe(false);
  });

  test("are quantized by the importance of their own", async () => {
    const recipe = { method: "rtn", scheme: "q4_0", backend: "reference", imatrix: path } as const;
    const imatrix = await readImatrix(path);
    const name = "blk.0.ffn_up_exps.weight";
    const { sums, counts } = imatrix.entries.get(name) ?? { sums: [], counts: [] };
    const other = Float32Array.from(sums, (sum, i) => (i >= 32 && i < 64 ? (i % 5) ** 4 : sum));
    const changed = join(folder, "changed.imatrix.gguf");
    const entry = { sums: other, counts: Float32Array.from(counts) };
    const entries = new Map([...imatrix.entries, [name, entry] as const]);
    await writeImatrix(changed, { ...imatrix, entries });
    const [first, second] = ["one", "other"].map((folderName) => join(folder, folderName));
    await quantize(mixture.path, { ...recipe, out: first });
    await quantize(mixture.path, { ...recipe, out: second, imatrix: changed });
    const [before, after] = [await openCheckpoint(first), await openCheckpoint(second)];
    const differing: string[] = [];
    for (const tensor of before.tensors.keys()) {
      if (!tensor.endsWith(".blocks")) continue;
      const [a, b] = [await before.viewAs(tensor, "u8"), await after.viewAs(tensor, "u8")];
      if (!Buffer.from(a).equals(Buffer.from(b))) differing.push(tensor);
    }
    expect(differing).toEqual(["model.layers.0.block_sparse_moe.experts.1.w3.blocks"]);
    await before.close();
    await after.close();
  });
});
