import type { Backend } from "../../src/backend/backend.ts";
import type { ActivationWindows } from "../../src/calibration/activation-windows.ts";
import type { Method, QuantizedBlock, WholeBlockProblem } from "../../src/methods/define-method.ts";
import { DecoderModel } from "../../src/models/decoder.ts";
import { expectedTensors } from "../../src/models/decoder-tensors.ts";
import { readModelConfig } from "../../src/models/index.ts";
import type { Block, QuantizableModel } from "../../src/nn/quantizable-model.ts";
import type { WeightSource } from "../../src/nn/weight-source.ts";
import { parseScheme } from "../../src/quant/scheme.ts";
import { writeRows } from "../../src/tensor/cache-ops.ts";
import { Tensor } from "../../src/tensor/tensor.ts";
import { goldenMatrix } from "./golden-matrix.ts";

/** The decoder block of `tools/golden/tiny_block.py`, and how much text there is for it. */
export const tinyBlock = { hidden: 32, ffn: 48, heads: 4, kvHeads: 2, tokens: 12, windows: 4 };

const slots = [
  "self_attn.q_proj",
  "self_attn.k_proj",
  "self_attn.v_proj",
  "self_attn.o_proj",
  "mlp.gate_proj",
  "mlp.up_proj",
  "mlp.down_proj",
];

/** A model of that block, and the block. */
export interface TinyModel {
  readonly model: QuantizableModel;
  readonly block: Block;
}

/** Makes the block on a backend. */
export async function makeTinyBlock(backend: Backend): Promise<TinyModel> {
  const { hidden, ffn, heads, kvHeads, tokens } = tinyBlock;
  const config = readModelConfig({
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: hidden,
    intermediate_size: ffn,
    num_hidden_layers: 1,
    num_attention_heads: heads,
    num_key_value_heads: kvHeads,
    vocab_size: 8,
    max_position_embeddings: tokens,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
  });
  const shapes = new Map(expectedTensors(config));
  const source: WeightSource = {
    has: (name) => shapes.has(name),
    shape: (name) => shapes.get(name) ?? [],
    tensor: async (name) => {
      const shape = shapes.get(name) ?? [];
      const [rows = 0, columns] = shape;
      if (columns === undefined) {
        return Tensor.from(backend, "f32", shape, new Float32Array(rows).fill(1));
      }
      const seed = 20 + slots.findIndex((slot) => name.includes(`.${slot}.`));
      const values = goldenMatrix(rows, columns, seed, 1.5 / Math.sqrt(columns));
      return Tensor.from(backend, "f32", shape, values);
    },
    matrix: (module) => source.tensor(`${module}.weight`),
    storedMatrix: (module) => source.tensor(`${module}.weight`),
  };
  const model = await DecoderModel.open(backend, config, source);
  return { model, block: await model.loadBlock(0) };
}

/** The block with inputs that are off by a little, and options that were not parsed. */
export function tinyProblem(
  scheme: string,
  options: Readonly<Record<string, unknown>>,
  { model, block }: TinyModel,
) {
  const { hidden, tokens, windows } = tinyBlock;
  const count = windows * tokens;
  const originals = goldenMatrix(count, hidden, 40);
  const errors = goldenMatrix(count, hidden, 41, 0.1);
  const upload = (values: Float32Array): Tensor<"f32"> =>
    Tensor.from(model.backend, "f32", [windows, tokens, hidden], values);
  const target = model.forwardBlock(block, upload(originals), { position: 0 });
  if (!target) throw new Error("expected outputs");
  return {
    model,
    block,
    inputs: windowsOf(upload(originals.map((value, i) => value + errors[i]))),
    targets: windowsOf(target),
    schemeOf: () => parseScheme(scheme),
    seed: 1,
    options,
    report: () => {},
  } satisfies TinyProblem;
}

/** What a method that trains blocks is told. */
export type TinyProblem = WholeBlockProblem<Record<string, unknown>>;

/** Quantizes the block with a method that trains it; `more` is what it is told besides. */
export async function quantizeTinyBlock(
  method: Pick<Method, "quantizeBlock" | "options">,
  scheme: string,
  options: Readonly<Record<string, unknown>>,
  made: TinyModel,
  more: Partial<TinyProblem> = {},
): Promise<QuantizedBlock> {
  if (!method.quantizeBlock) throw new Error("expected a method of blocks");
  const problem = tinyProblem(scheme, method.options.parse(options), made);
  return method.quantizeBlock({ ...problem, ...more });
}

/** All windows of a tensor `[windows, tokens, hidden]`, in copies. */
export function windowsOf(all: Tensor<"f32">): ActivationWindows {
  const [windows = 0, tokens = 0, hidden = 0] = all.shape;
  return {
    windows,
    length: tokens,
    take: async (indices) => {
      const taken = Tensor.zeros(all.backend, "f32", [indices.length, tokens, hidden]);
      const flat = taken.reshape([1, indices.length * tokens, hidden]);
      for (const [row, index] of indices.entries()) {
        writeRows(flat, all.slice(index, index + 1), row * tokens);
      }
      return taken;
    },
  };
}
