import type { DerivedTensor, Turn } from "../nn/model-rotation.ts";
import { joinedColumns } from "./decoder-attention.ts";
import type { DecoderConfig } from "./decoder-config.ts";
import type { SlotKey } from "./decoder-names.ts";
import {
  blockName,
  expertPlans,
  gatePlans,
  isSparse,
  type LinearPlan,
  linearPlans,
} from "./decoder-tensors.ts";

/**
 * Says why the residual stream of a model cannot be rotated by other weights; null where it can. A
 * norm of what a part gives, or of the stream behind it, multiplies each channel by a weight of its
 * own, and no matrix behind takes that up.
 */
export function rotationObstacle({ names }: DecoderConfig): string | null {
  const { attentionOutput, mlpOutput, attentionStream, mlpStream } = names.norms;
  const norm = attentionOutput ?? mlpOutput ?? attentionStream ?? mlpStream;
  if (norm === undefined) return null;
  return `the weights of its norms ${norm} act on the residual stream itself`;
}

/** Whether a rotation must leave a vector of ones as it is: norms take the mean of the stream off. */
export function keepsOnes({ norm }: DecoderConfig): boolean {
  return norm.kind === "layer";
}

/** Whether the head becomes a table of its own: it takes up the weights of the final norm. */
export function untiesHead({ tiedEmbeddings, names }: DecoderConfig): boolean {
  return tiedEmbeddings && names.projectOut === null;
}

/** Names of the norms that linear layers read through, without `.weight`. */
export function foldedNorms(config: DecoderConfig): string[] {
  const { attention, mlp } = config.names.norms;
  const inBlocks = config.layers.flatMap((_, index) =>
    [attention, mlp].flatMap((name) => name ?? []).map((n) => `${blockName(config, index)}.${n}`),
  );
  return config.names.norm === null ? inBlocks : [...inBlocks, config.names.norm];
}

/**
 * Lists the tensors of a model whose residual stream is x·Q where it was x, and whose values are v·R
 * in each head, with the same logits, whatever Q and the R are. Norms have weights of 1: what reads a
 * norm of weights w is `W·diag(w)·Q`; what adds to the stream is `Qᵀ·W`, its bias `b·Q`; a bias b of a
 * norm is `(b / w)·Q`. Where norms take the mean off, Q must leave a vector of ones as it is, so that
 * means stay as they were.
 */
export function rotatedTensors(config: DecoderConfig): Map<string, DerivedTensor> {
  const tensors = new Map<string, DerivedTensor>();
  for (const name of foldedNorms(config)) {
    tensors.set(`${name}.weight`, ones(`${name}.weight`));
    if (config.norm.bias) tensors.set(`${name}.bias`, normBias(name));
  }
  for (const index of config.layers.keys()) {
    for (const [name, tensor] of blockTensors(config, index)) tensors.set(name, tensor);
  }
  for (const [name, tensor] of endTensors(config)) tensors.set(name, tensor);
  return tensors;
}

/** The tables in front of and behind the blocks, and the layers between them and the blocks. */
function* endTensors(config: DecoderConfig): Generator<[string, DerivedTensor]> {
  const { embedding, positions, projectIn, projectOut, norm, head } = config.names;
  if (projectIn === null) yield [`${embedding}.weight`, table(turned(`${embedding}.weight`))];
  else yield [`${projectIn}.weight`, writer(config, `${projectIn}.weight`, config.embeddingSize)];
  if (positions !== null) yield [`${positions}.weight`, turned(`${positions}.weight`)];
  const last = `${projectOut ?? head}.weight`;
  const from = untiesHead(config) ? `${embedding}.weight` : last;
  yield [last, table(reader(from, norm))];
}

function* blockTensors(config: DecoderConfig, index: number): Generator<[string, DerivedTensor]> {
  const block = blockName(config, index);
  const { attention, mlp = config.parallel ? attention : undefined } = config.names.norms;
  const below = (name: string | undefined): string | null =>
    name === undefined ? null : `${block}.${name}`;
  for (const [key, plan] of linearPlans(config, index)) {
    const name = `${block}.${plan.name}`;
    const norm = below(mlpInputs.has(key) ? mlp : attention);
    const heads = valueRows(config, key);
    if (key === "output") yield* writers(config, name, plan, [{ by: index, across: null }]);
    else if (key === "down") yield* writers(config, name, plan);
    else if (heads) yield* valueReaders(name, plan, norm, { block: index, heads });
    else yield [`${name}.weight`, reader(`${name}.weight`, norm)];
  }
  if (!isSparse(config, index)) return;
  const mlps = expertPlans(config);
  for (const { gate, up, down } of [
    ...(mlps?.experts ?? []),
    ...(mlps?.shared ? [mlps.shared] : []),
  ]) {
    for (const { name } of [gate, up]) {
      yield [`${block}.${name}.weight`, reader(`${block}.${name}.weight`, below(mlp))];
    }
    yield* writers(config, `${block}.${down.name}`, down);
  }
  for (const { name } of gatePlans(config)) {
    yield [`${block}.${name}.weight`, reader(`${block}.${name}.weight`, below(mlp))];
  }
}

const mlpInputs: ReadonlySet<SlotKey> = new Set(["gate", "up", "gateUp"]);

/** Rows of the values of each head in the projection that gives them; null in others. */
function valueRows(config: DecoderConfig, key: SlotKey): Int32Array[] | null {
  const { kvHeads, headDim } = config;
  if (key !== "value" && key !== "queryKeyValue") return null;
  const rows =
    key === "value"
      ? Int32Array.from({ length: kvHeads * headDim }, (_, row) => row)
      : joinedColumns(config)[2];
  return Array.from({ length: kvHeads }, (_, head) =>
    rows.subarray(head * headDim, (head + 1) * headDim),
  );
}

const streamRows: Turn = { by: "stream", across: null };

/** A layer that reads the stream through a norm, or as it is: `W·diag(w)·Q`. */
function reader(from: string, norm: string | null): DerivedTensor {
  return {
    from,
    vectors: norm === null ? [] : [`${norm}.weight`],
    keepsDType: false,
    fold: (values, [weights]) => {
      if (weights) for (let i = 0; i < values.length; i++) values[i] *= weights[i % weights.length];
    },
    turns: [streamRows],
  };
}

/** The same of what gives values, whose rows are turned in each head, and its bias. */
function* valueReaders(
  name: string,
  { bias, inFeatures }: LinearPlan,
  norm: string | null,
  { block, heads: rows }: { readonly block: number; readonly heads: Int32Array[] },
): Generator<[string, DerivedTensor]> {
  const turnHeads = (columns: number): Turn => ({ by: block, across: { rows, columns } });
  const plain = reader(`${name}.weight`, norm);
  yield [`${name}.weight`, { ...plain, turns: [...plain.turns, turnHeads(inFeatures)] }];
  if (bias) yield [`${name}.bias`, { ...turned(`${name}.bias`), turns: [turnHeads(1)] }];
}

/** A layer that adds to the stream and its bias; what is turned before the stream comes first. */
function* writers(
  config: DecoderConfig,
  name: string,
  { bias, inFeatures }: LinearPlan,
  before: readonly Turn[] = [],
): Generator<[string, DerivedTensor]> {
  const plain = writer(config, `${name}.weight`, inFeatures);
  yield [`${name}.weight`, { ...plain, turns: [...before, ...plain.turns] }];
  if (bias) yield [`${name}.bias`, turned(`${name}.bias`)];
}

/** `Qᵀ·W` */
function writer({ hiddenSize }: DecoderConfig, from: string, columns: number): DerivedTensor {
  const rows = Int32Array.from({ length: hiddenSize }, (_, row) => row);
  return { ...turned(from), turns: [{ by: "stream", across: { rows: [rows], columns } }] };
}

/** Rows x that become x·Q. */
function turned(from: string): DerivedTensor {
  return { from, vectors: [], keepsDType: false, fold: () => undefined, turns: [streamRows] };
}

function table(tensor: DerivedTensor): DerivedTensor {
  return { ...tensor, keepsDType: true };
}

function ones(from: string): DerivedTensor {
  const fold: DerivedTensor["fold"] = (values) => void values.fill(1);
  return { ...turned(from), fold, turns: [], keepsDType: true };
}

/** `(b / w)·Q`: behind a norm with weights of 1, what reads it is multiplied by w. */
function normBias(norm: string): DerivedTensor {
  const fold: DerivedTensor["fold"] = (values, [weights]) => {
    for (let i = 0; i < values.length; i++) {
      values[i] = values[i] === 0 ? 0 : values[i] / weights[i];
    }
  };
  return { ...turned(`${norm}.bias`), vectors: [`${norm}.weight`], fold };
}
