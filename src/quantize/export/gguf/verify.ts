import {
  type QuantizedModule,
  readQuantizationConfig,
} from "../../../formats/quantization-config.ts";
import type { GgmlType } from "../../../formats/gguf/gguf-types.ts";
import { GgufNames, splitTensorName } from "../../../formats/gguf/tensor-names.ts";
import { remove } from "../../../platform/node.ts";
import { load } from "../../../runtime/load.ts";
import type { LanguageModel } from "../../../runtime/language-model.ts";
import { type ModelCheckpoint, openModelCheckpoint } from "../../../runtime/model-checkpoint.ts";
import { mostLikely } from "../../../runtime/token-weights.ts";
import { NumericError, throwIfCancelled } from "../../../util/errors.ts";
import type { ExportSource, WriteOptions } from "../export-format.ts";
import { probingText } from "./probing-text.ts";
import { TensorHashes } from "./tensor-hashes.ts";
import { decodeBytes } from "./convert-rows.ts";
import type { SourceTensor } from "./list-tensors.ts";
import { openRows } from "./tensor-rows.ts";
import type { DecidedTensor } from "./write-tensors.ts";

/** What was compared after an export, all of it equal or as close as it says. */
export interface Verification {
  /** Tensors whose bytes are those that were meant to be written. */
  readonly tensors: number;
  /** Weights that have the float32 value that they have in the source. */
  readonly sameWeights: number;
  /** Tokens of the probing text, the same from both tokenizers. */
  readonly tokens: number;
  readonly logits: {
    readonly positions: number;
    /** Largest difference over the largest logit of the source. */
    readonly largestDifference: number;
    /** Share of positions whose most likely token is the same. */
    readonly sameTop: number;
  };
}

/** What was written, and what it is to be. */
export interface WrittenGguf {
  /** Of all parts, the first one first. */
  readonly paths: readonly string[];
  readonly tensors: readonly DecidedTensor[];
  /** Of the bytes of each tensor, in the order of its rows in the source. */
  readonly hashes: TensorHashes;
}

/**
 * Reads an export again as any model is read, and compares tensors, tokens and logits with the
 * source. What does not hold is removed.
 * @throws NumericError when something is not what it is to be
 */
export async function verifyGguf(
  source: ExportSource,
  written: WrittenGguf,
  options: Pick<WriteOptions, "signal">,
): Promise<Verification> {
  try {
    const weights = await verifyWeights(source, written, options);
    const models = await loadBoth(source, written.paths[0], options);
    try {
      const ids = verifyTokens(models);
      const isExact = written.tensors.every(({ decision }) => decision.kind === "exact");
      const logits = await verifyLogits(models, ids.slice(0, promptTokens), isExact);
      return { ...weights, tokens: ids.length, logits };
    } finally {
      for (const model of models) model.release();
    }
  } catch (error) {
    for (const path of written.paths) await remove(path);
    throw error;
  }
}

/** Tokens of the probing text that logits are compared for. */
const promptTokens = 48;
/** What summing in another order may change logits by, as a share of the largest. */
const tolerance = 2e-3;

async function verifyWeights(
  source: ExportSource,
  { paths, tensors, hashes }: WrittenGguf,
  options: Pick<WriteOptions, "signal">,
): Promise<{ tensors: number; sameWeights: number }> {
  const opened = await openModelCheckpoint(paths[0]);
  const names = new GgufNames(opened.config.names);
  try {
    let sameWeights = 0;
    for (const tensor of tensors) {
      for (const [index, part] of tensor.parts.entries()) {
        throwIfCancelled(options.signal);
        const compared = { part, written: writtenPart(names, tensor, index), tensor };
        await verifyBytes(opened, compared, hashes);
        if (tensor.decision.kind === "exact")
          sameWeights += await verifyValues(source, opened, compared);
      }
    }
    return { tensors: tensors.length, sameWeights };
  } finally {
    await opened.checkpoint.close();
  }
}

/** A tensor of the source, or a part of one, and as what it is read from the file. */
interface Compared {
  readonly part: SourceTensor;
  readonly written: SourceTensor;
  readonly tensor: DecidedTensor;
}

/** A part of a tensor under the name that fewbit gives it when it reads the file. */
function writtenPart(
  names: GgufNames,
  { name, parts }: DecidedTensor,
  index: number,
): SourceTensor {
  const [own, ending] = splitTensorName(name);
  const [module = names.toCheckpoint(own)] = names.ofStack(own, index) ?? [];
  if (module === null) throw unlike(`${name} is not read again`);
  return { ...parts[index], module, source: module + ending };
}

const pieceBytes = 2 ** 24;

/**
 * Returns what is hashed of bytes that are written: themselves, or the values of floats that
 * checkpoints store in another form.
 */
export function comparedBytes({ form }: SourceTensor, type: GgmlType, bytes: Uint8Array) {
  const isTurned = form !== null && type.kind !== "blocks";
  return isTurned ? decodeBytes(type, bytes) : bytes;
}

async function verifyBytes(
  { checkpoint }: ModelCheckpoint,
  { part, written, tensor }: Compared,
  hashes: TensorHashes,
): Promise<void> {
  const { type } = tensor.decision;
  const found = new TensorHashes();
  if (part.form && type.kind !== "blocks") {
    const rows = await openRows(checkpoint, { ...written, packed: null });
    found.add(part.source, await rows.floats(0, part.shape[0]));
    expectSame(part.source, found, hashes);
    return;
  }
  const name = type.kind === "blocks" ? `${written.module}.blocks` : written.source;
  const { begin, end } = checkpoint.info(name);
  const buffer = new Uint8Array(Math.min(pieceBytes, end - begin));
  for (let at = 0; at < end - begin; at += buffer.length) {
    const piece = buffer.subarray(0, Math.min(buffer.length, end - begin - at));
    await checkpoint.readInto(name, piece, at);
    found.add(part.source, piece);
  }
  expectSame(part.source, found, hashes);
}

function expectSame(source: string, found: TensorHashes, hashes: TensorHashes): void {
  if (found.digest(source) === hashes.digest(source)) return;
  throw unlike(`the bytes of ${source} are not those that were written`);
}

const pieceWeights = 2 ** 20;

async function verifyValues(
  { checkpoint }: ExportSource,
  opened: ModelCheckpoint,
  { part, written, tensor }: Compared,
): Promise<number> {
  const { shape, source } = part;
  const [rows, columns = 1] = shape;
  const isPacked = tensor.decision.type.kind === "blocks";
  const packed = isPacked ? expectModule(opened, written.module) : null;
  const expected = await openRows(checkpoint, part);
  const found = await openRows(opened.checkpoint, { ...written, packed });
  const step = Math.max(1, Math.floor(pieceWeights / columns));
  for (let first = 0; first < rows; first += step) {
    const end = Math.min(rows, first + step);
    const [before, after] = [await expected.floats(first, end), await found.floats(first, end)];
    const other = before.findIndex((value, i) => value !== after[i]);
    if (other < 0) continue;
    throw unlike(
      `${source}, row ${first + Math.floor(other / columns)}, column ${other % columns}: ` +
        `${before[other]} became ${after[other]}`,
    );
  }
  return rows * columns;
}

function expectModule({ checkpoint }: ModelCheckpoint, module: string): QuantizedModule {
  const found = readQuantizationConfig(checkpoint.config)?.modules.get(module);
  if (found) return found;
  throw unlike(`${module} is read as floats, and was written as blocks`);
}

async function loadBoth(
  source: ExportSource,
  path: string,
  { signal }: Pick<WriteOptions, "signal">,
): Promise<readonly [LanguageModel, LanguageModel]> {
  const { backend } = source;
  const original = await load(source.path, { backend, signal });
  try {
    return [original, await load(path, { backend, signal })];
  } catch (error) {
    original.release();
    throw error;
  }
}

/** Returns the ids of the probing text. @throws NumericError unless both give the same */
function verifyTokens([original, written]: readonly LanguageModel[]): Int32Array {
  const [expected, found] = [original, written].map(({ tokenizer }) =>
    Int32Array.from(tokenizer.encode(probingText)),
  );
  const other = expected.findIndex((id, i) => id !== found[i]);
  if (other < 0 && expected.length === found.length) return expected;
  const at = other < 0 ? Math.min(expected.length, found.length) : other;
  throw unlike(
    `the tokenizer gives other tokens for the probing text: token ${at} is ` +
      `${found[at] ?? "missing"}, expected ${expected[at] ?? "none"}`,
  );
}

async function verifyLogits(
  [original, written]: readonly LanguageModel[],
  ids: Int32Array,
  isExact: boolean,
): Promise<Verification["logits"]> {
  const [expected, found] = [await logitsOf(original, ids), await logitsOf(written, ids)];
  const width = expected.length / ids.length;
  let [difference, largest, sameTop] = [0, 0, 0];
  for (let position = 0; position < ids.length; position++) {
    const row = [position * width, (position + 1) * width] as const;
    const [before, after] = [expected.subarray(...row), found.subarray(...row)];
    for (let i = 0; i < width; i++) {
      difference = Math.max(difference, Math.abs(after[i] - before[i]));
      largest = Math.max(largest, Math.abs(before[i]));
    }
    if (mostLikely(before) === mostLikely(after)) sameTop++;
  }
  const largestDifference = largest > 0 ? difference / largest : difference;
  if (isExact && !(largestDifference <= tolerance)) {
    throw unlike(`logits differ by ${(100 * largestDifference).toPrecision(3)} % of the largest`);
  }
  return { positions: ids.length, largestDifference, sameTop: sameTop / ids.length };
}

async function logitsOf(model: LanguageModel, ids: Int32Array): Promise<Float32Array> {
  const tokens = model.tokens([ids]);
  const hidden = model.hiddenStates(tokens);
  const logits = model.logits(hidden.reshape([ids.length, model.config.hiddenSize]));
  return logits.read();
}

function unlike(what: string): NumericError {
  return new NumericError(`what was written is not what was to be written: ${what}`, {
    hint: "the output was removed; check disk and memory, and report it if it happens again",
  });
}
