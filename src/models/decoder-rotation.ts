import {
  type DerivedTensor,
  type ModelRotation,
  type Rotation,
  turnColumns,
  turnRows,
} from "../nn/model-rotation.ts";
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
 * in each head, with the same logits. Norms have weights of 1: what reads a norm of weights w is
 * `W·diag(w)·Q`; what adds to the stream is `Qᵀ·W`, its bias `b·Q`; a bias b of a norm is `(b / w)·Q`.
 * Where norms take the mean off, Q leaves a vector of ones as it is, and means stay as they were.
 */
export function rotatedTensors(
  config: DecoderConfig,
  rotation: ModelRotation,
): Map<string, DerivedTensor> {
  const tensors = new Map<string, DerivedTensor>();
  for (const name of foldedNorms(config)) {
    tensors.set(`${name}.weight`, ones(`${name}.weight`));
    if (config.norm.bias) tensors.set(`${name}.bias`, normBias(name, rotation.stream));
  }
  for (const index of config.layers.keys()) {
    for (const [name, tensor] of blockTensors(config, index, rotation)) tensors.set(name, tensor);
  }
  for (const [name, tensor] of endTensors(config, rotation.stream)) tensors.set(name, tensor);
  return tensors;
}

/** The tables in front of and behind the blocks, and the layers between them and the blocks. */
function* endTensors(config: DecoderConfig, stream: Rotation): Generator<[string, DerivedTensor]> {
  const { embedding, positions, projectIn, projectOut, norm, head } = config.names;
  if (projectIn === null)
    yield [`${embedding}.weight`, table(turned(`${embedding}.weight`, stream))];
  else yield [`${projectIn}.weight`, writer(`${projectIn}.weight`, stream)];
  if (positions !== null) yield [`${positions}.weight`, turned(`${positions}.weight`, stream)];
  const last = `${projectOut ?? head}.weight`;
  const from = untiesHead(config) ? `${embedding}.weight` : last;
  yield [last, table(reader(from, norm, stream))];
}

function* blockTensors(
  config: DecoderConfig,
  index: number,
  { stream, values }: ModelRotation,
): Generator<[string, DerivedTensor]> {
  const block = blockName(config, index);
  const { attention, mlp = config.parallel ? attention : undefined } = config.names.norms;
  const below = (name: string | undefined): string | null =>
    name === undefined ? null : `${block}.${name}`;
  const ofValues = values(index);
  for (const [key, plan] of linearPlans(config, index)) {
    const name = `${block}.${plan.name}`;
    const norm = below(mlpInputs.has(key) ? mlp : attention);
    const heads = ofValues && valueRows(config, key);
    if (key === "output") yield* writers(name, plan, stream, ofValues);
    else if (key === "down") yield* writers(name, plan, stream, null);
    else if (heads && ofValues) yield* valueReaders(name, plan, norm, { stream, ofValues, heads });
    else yield [`${name}.weight`, reader(`${name}.weight`, norm, stream)];
  }
  if (!isSparse(config, index)) return;
  const mlps = expertPlans(config);
  for (const { gate, up, down } of [
    ...(mlps?.experts ?? []),
    ...(mlps?.shared ? [mlps.shared] : []),
  ]) {
    for (const { name } of [gate, up]) {
      yield [`${block}.${name}.weight`, reader(`${block}.${name}.weight`, below(mlp), stream)];
    }
    yield* writers(`${block}.${down.name}`, down, stream, null);
  }
  for (const { name } of gatePlans(config)) {
    yield [`${block}.${name}.weight`, reader(`${block}.${name}.weight`, below(mlp), stream)];
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

/** A layer that reads the stream through a norm, or as it is: `W·diag(w)·Q`. */
function reader(from: string, norm: string | null, stream: Rotation): DerivedTensor {
  return {
    from,
    vectors: norm === null ? [] : [`${norm}.weight`],
    byRows: true,
    keepsDType: false,
    change: (values, [weights]) => {
      if (weights) for (let i = 0; i < values.length; i++) values[i] *= weights[i % stream.size];
      turnRows(values, stream);
    },
  };
}

/** The same of what gives values, whose rows are turned in each head, and its bias. */
function* valueReaders(
  name: string,
  { bias, inFeatures }: LinearPlan,
  norm: string | null,
  rotations: {
    readonly stream: Rotation;
    readonly ofValues: Rotation;
    readonly heads: Int32Array[];
  },
): Generator<[string, DerivedTensor]> {
  const { stream, ofValues, heads } = rotations;
  const turnHeads = (values: Float32Array, columns: number): void => {
    for (const rows of heads) turnColumns(values, columns, rows, ofValues);
  };
  const plain = reader(`${name}.weight`, norm, stream);
  const change: DerivedTensor["change"] = (values, vectors) => {
    plain.change(values, vectors);
    turnHeads(values, inFeatures);
  };
  yield [`${name}.weight`, { ...plain, byRows: false, change }];
  if (bias) yield [`${name}.bias`, whole(`${name}.bias`, (values) => turnHeads(values, 1))];
}

/** A layer that adds to the stream and its bias; of attention, its columns are turned by head. */
function* writers(
  name: string,
  { bias }: LinearPlan,
  stream: Rotation,
  ofValues: Rotation | null,
): Generator<[string, DerivedTensor]> {
  const turn = writer(`${name}.weight`, stream);
  const change: DerivedTensor["change"] = (values, vectors) => {
    if (ofValues) turnRows(values, ofValues);
    turn.change(values, vectors);
  };
  yield [`${name}.weight`, { ...turn, change }];
  if (bias) yield [`${name}.bias`, turned(`${name}.bias`, stream)];
}

/** `Qᵀ·W` */
function writer(from: string, stream: Rotation): DerivedTensor {
  const rows = Int32Array.from({ length: stream.size }, (_, row) => row);
  return whole(from, (values) => turnColumns(values, values.length / stream.size, rows, stream));
}

/** Rows x that become x·Q. */
function turned(from: string, stream: Rotation): DerivedTensor {
  return { ...whole(from, (values) => turnRows(values, stream)), byRows: true };
}

function table(tensor: DerivedTensor): DerivedTensor {
  return { ...tensor, keepsDType: true };
}

function ones(from: string): DerivedTensor {
  return { ...whole(from, (values) => void values.fill(1)), keepsDType: true };
}

/** `(b / w)·Q`: behind a norm with weights of 1, what reads it is multiplied by w. */
function normBias(norm: string, stream: Rotation): DerivedTensor {
  const change: DerivedTensor["change"] = (values, [weights]) => {
    for (let i = 0; i < values.length; i++)
      values[i] = values[i] === 0 ? 0 : values[i] / weights[i];
    turnRows(values, stream);
  };
  return { ...whole(`${norm}.bias`, change), vectors: [`${norm}.weight`] };
}

function whole(from: string, change: DerivedTensor["change"]): DerivedTensor {
  return { from, vectors: [], byRows: false, keepsDType: false, change };
}
