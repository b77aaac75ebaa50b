import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, test } from "vitest";
import { formulaWeight } from "../../test/golden/formula-weights.ts";
import { readModelCase } from "../../test/golden/model-cases.ts";
import {
  type TinyCheckpointOptions,
  writeTinyCheckpoint,
} from "../../test/golden/tiny-checkpoint.ts";
import { load, quantize } from "../index.ts";
import { FormatError } from "../util/errors.ts";

/*
 * Checkpoints whose experts lie in two tensors a block, as transformers 5 has them in memory and
 * saves them with `save_original_format=False`.
 */

const folders: string[] = [];
afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true });
});

interface Stored {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

/** Writes a safetensors file of float32 tensors. */
function writeTensors(path: string, tensors: ReadonlyMap<string, Stored>): void {
  let end = 0;
  const entries = [...tensors].map(([name, { shape, values }]) => {
    const begin = end;
    end += values.byteLength;
    return [name, { dtype: "F32", shape, data_offsets: [begin, end] }] as const;
  });
  const header = Buffer.from(JSON.stringify(Object.fromEntries(entries)));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(header.length));
  const data = [...tensors.values()].map(({ values }) => Buffer.from(values.buffer));
  writeFileSync(path, Buffer.concat([length, header, ...data]));
}

/** Writes a golden model in float32 with joined experts, `experts` of them in the tensors. */
async function writeFused(
  name: string,
  experts: number,
  omit: (name: string) => boolean = () => false,
): Promise<string> {
  const tiny = await writeTinyCheckpoint({ modelCase: name });
  folders.push(tiny.path);
  const { config } = readModelCase(name);
  const isMixtral = config.model_type === "mixtral";
  const prefix = isMixtral ? "block_sparse_moe" : "mlp";
  const [gate, up, down] = isMixtral ? ["w1", "w3", "w2"] : ["gate_proj", "up_proj", "down_proj"];
  const header = readFileSync(join(tiny.path, "model.safetensors"));
  const size = Number(header.readBigUInt64LE(0));
  const listed = JSON.parse(header.toString("utf8", 8, 8 + size)) as Record<string, Stored>;
  const tensors = new Map<string, Stored>();
  const join3 = (block: string, parts: readonly string[], to: string): void => {
    const names = Array.from({ length: experts }, (_, expert) =>
      parts.map((part) => `${block}.${prefix}.experts.${expert}.${part}.weight`),
    );
    const [rows, columns] = listed[names[0][0]].shape;
    const values = names.flat().flatMap((own) => [...formulaWeight(own, [rows, columns])]);
    const shape = [experts, rows * parts.length, columns];
    tensors.set(`${block}.mlp.experts.${to}`, { shape, values: Float32Array.from(values) });
  };
  for (const [own, { shape }] of Object.entries(listed)) {
    if (own === "__metadata__") continue;
    const [, block] = /^(.*)\.(?:mlp|block_sparse_moe)\.experts\./.exec(own) ?? [];
    if (block === undefined) {
      const stored = own.replace("block_sparse_moe.gate", "mlp.gate");
      tensors.set(stored, { shape, values: formulaWeight(own, shape) });
    } else if (!tensors.has(`${block}.mlp.experts.down_proj`)) {
      join3(block, [gate, up], "gate_up_proj");
      join3(block, [down], "down_proj");
    }
  }
  const folder = mkdtempSync(join(tmpdir(), "fewbit-fused-"));
  folders.push(folder);
  for (const file of ["config.json", "tokenizer.json", "tokenizer_config.json"]) {
    writeFileSync(join(folder, file), readFileSync(join(tiny.path, file)));
  }
  const kept = new Map([...tensors].filter(([own]) => !omit(own)));
  writeTensors(join(folder, "model.safetensors"), kept);
  return folder;
}

describe("experts in two tensors a block", () => {
  test("of another width than config.json says, or without the other, are an error", async () => {
    const folder = await writeFused("olmoe-normalized", 3);
    const path = join(folder, "config.json");
    const config = JSON.parse(readFileSync(path, "utf8"));
    writeFileSync(path, JSON.stringify({ ...config, intermediate_size: 40 }));
    await expect(load(folder, { backend: "reference" })).rejects.toThrow(
      "tensor model.layers.0.mlp.experts.gate_up_proj: expected shape [3, 80, 32] by config.json, got [3, 88, 32]",
    );
    const half = await writeFused("olmoe-normalized", 3, (name) =>
      name.endsWith("1.mlp.experts.down_proj"),
    );
    const opening = load(half, { backend: "reference" });
    await expect(opening).rejects.toThrow(FormatError);
    await expect(opening).rejects.toThrow("model.layers.1.mlp.experts.0.down_proj.weight");
  });

  test.each(["mixtral-window", "qwen2-moe-steps", "qwen3-moe-steps", "olmoe-normalized"])(
    "%s has the golden logits",
    async (name) => {
      const golden = readModelCase(name);
      const count = (golden.config.num_local_experts ?? golden.config.num_experts) as number;
      const model = await load(await writeFused(name, count), { backend: "reference" });
      const hidden = model.hiddenStates(model.tokens(golden.ids));
      const rows = golden.ids.flat().length;
      const logits = await model.logits(hidden.reshape([rows, model.config.hiddenSize])).read();
      const { vocabularySize } = model.config;
      const expected = golden.logits.at(-1)?.at(-1) ?? [];
      const last = logits.subarray(logits.length - vocabularySize);
      for (const [i, logit] of expected.entries()) expect(last[i]).toBeCloseTo(logit, 3);
    },
  );

  test("of which there are more or fewer than config.json says are an error", async () => {
    for (const count of [2, 4]) {
      const folder = await writeFused("olmoe-normalized", count);
      const opening = load(folder, { backend: "reference" });
      await expect(opening).rejects.toThrow(FormatError);
      await expect(opening).rejects.toThrow(
        `tensor model.layers.0.mlp.experts.gate_up_proj: expected shape [3, 88, 32] by config.json, got [${count}, 88, 32]`,
      );
    }
  });
});

describe("experts with tensors of their own", () => {
  /** What a golden Mixtral of 4 experts is refused with, by a run that then leaves nothing. */
  async function refusal(options: TinyCheckpointOptions): Promise<unknown> {
    const tiny = await writeTinyCheckpoint({ modelCase: "mixtral", ...options });
    const out = mkdtempSync(join(tmpdir(), "fewbit-mixture-"));
    folders.push(tiny.path, out);
    const run = quantize(tiny.path, { method: "rtn", scheme: "w4", out: join(out, "out") });
    const error = await run.then(
      () => null,
      (reason: unknown) => reason,
    );
    expect(readdirSync(out)).toEqual([]);
    return error;
  }
  const experts = "model.layers.1.block_sparse_moe.experts";

  test.each([2, 5])("do not fit a config.json that counts %d", async (count) => {
    const error = await refusal({ config: { num_local_experts: count } });
    expect(error).toBeInstanceOf(FormatError);
    expect(error).toMatchObject({
      message: `config.json counts ${count} experts in a block, but block 0 of the checkpoint has 4`,
    });
  });

  test("may not be more than config.json and router have", async () => {
    const error = await refusal({
      extra: { [`${experts}.4.w1.weight`]: [44, 32] },
    });
    expect(error).toMatchObject({
      code: "FORMAT",
      message: expect.stringContaining("counts 4 experts in a block, but block 1"),
    });
  });

  test.each([`${experts}.2.w1.weight`, `${experts}.0.w2.weight`])(
    "are missed by name: %s",
    async (name) => {
      const error = await refusal({ omit: (own) => own === name });
      expect(error).toBeInstanceOf(FormatError);
      expect(error).toMatchObject({ message: expect.stringContaining(name) });
    },
  );

  test("of another shape are named with both shapes", async () => {
    const error = await refusal({
      reshape: (name, shape) => (name === `${experts}.3.w3.weight` ? [40, 32] : shape),
    });
    expect(error).toMatchObject({
      code: "FORMAT",
      message: `tensor ${experts}.3.w3.weight: expected shape [44, 32] by config.json, got [40, 32]`,
    });
  });

  test("and a router of another count is named", async () => {
    const router = "model.layers.0.block_sparse_moe.gate.weight";
    const error = await refusal({
      reshape: (name, shape) => (name === router ? [3, 32] : shape),
    });
    expect(error).toMatchObject({
      message: `tensor ${router}: expected shape [4, 32] by config.json, got [3, 32]`,
    });
  });
});
