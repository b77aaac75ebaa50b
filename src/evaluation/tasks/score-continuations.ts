import type { Products } from "../../backend/packed-operand.ts";
import type { EvaluationWindow } from "../../calibration/windows.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { Tensor } from "../../tensor/tensor.ts";
import { NumericError, throwIfCancelled } from "../../util/errors.ts";
import { type RowScores, scoreRows } from "../score-rows.ts";
import { compareTokens, growTree } from "../token-tree.ts";
import { type Continuation, encodeContinuation } from "./encode-continuation.ts";
import { commonLength } from "../../util/common-length.ts";

const rowsPerPass = 2048;

/** How continuations are scored. */
export interface ScoreContinuationsOptions {
  readonly products: Products;
  /** Also find out which continuations greedy decoding gives. */
  readonly greedy?: boolean;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with the number of texts that it scored. */
  readonly onScored?: (count: number) => void;
}

/** Scores of continuations; one entry each, in their order. */
export interface ContinuationScores {
  /** Sum of the continuation's tokens' log-likelihoods, in nats. */
  readonly logLikelihoods: Float64Array;
  /** 1 where each token of the continuation is the likeliest there; null when not asked for. */
  readonly greedy: Uint8Array | null;
}

/**
 * Scores continuations: the sum of their tokens' log-likelihoods given their contexts. Equal texts
 * are scored once. Texts with a common prefix are run through the model together, and the prefix is
 * computed once; nothing is padded. A model that runs without floats reads each text by itself.
 * @throws UsageError when a continuation alone is longer than the model's context
 * @throws NumericError when the model's logits are not numbers
 */
export async function scoreContinuations(
  model: LanguageModel,
  continuations: readonly Continuation[],
  { products, greedy = false, signal, onScored }: ScoreContinuationsOptions,
): Promise<ContinuationScores> {
  const logLikelihoods = new Float64Array(continuations.length);
  const hits = greedy ? new Uint8Array(continuations.length) : null;
  const all = encodeTexts(model, continuations);
  for (const texts of model.integerOnly ? all.map((text) => [text]) : passesOf(all)) {
    throwIfCancelled(signal);
    const run = model.integerOnly ? runAlone : runTree;
    const { losses, likeliest } = await run(model, texts, { products, greedy });
    let at = 0;
    let count = 0;
    for (const { window, places } of texts) {
      const end = at + window.to - window.from;
      const sum = -total(losses.subarray(at, end));
      const hit = Number(likeliest?.subarray(at, end).every(Boolean));
      for (const place of places) {
        logLikelihoods[place] = sum;
        if (hits) hits[place] = hit;
      }
      count += places.length;
      at = end;
    }
    onScored?.(count);
  }
  return { logLikelihoods, greedy: hits };
}

/** A text to score, and the places of its score in the result. */
interface Text {
  readonly window: EvaluationWindow;
  /** The tokens that go through the model: all but the last. */
  readonly input: Int32Array;
  readonly places: number[];
}

/** Encodes continuations, those with common prefixes side by side. */
function encodeTexts(
  { tokenizer, config }: LanguageModel,
  continuations: readonly Continuation[],
): Text[] {
  const known = new Map<string, Text>();
  for (const [place, continuation] of continuations.entries()) {
    const key = JSON.stringify([continuation.context, continuation.continuation]);
    const same = known.get(key);
    if (same) {
      same.places.push(place);
      continue;
    }
    const window = encodeContinuation(tokenizer, continuation, config.contextLength);
    known.set(key, { window, input: window.ids.subarray(0, window.to), places: [place] });
  }
  return [...known.values()].sort((a, b) => compareTokens(a.input, b.input));
}

/** Cuts texts into those of one pass through the model: at most `rowsPerPass` rows, or a text. */
function passesOf(texts: readonly Text[]): Text[][] {
  const passes: Text[][] = [];
  let rows = 0;
  for (const text of texts) {
    const pass = passes.at(-1);
    const before = pass?.at(-1);
    const own = text.input.length - (before ? commonLength(before.input, text.input) : 0);
    if (pass && rows + own <= rowsPerPass) {
      pass.push(text);
      rows += own;
    } else {
      passes.push([text]);
      rows = text.input.length;
    }
  }
  return passes;
}

interface RunOptions {
  readonly products: Products;
  readonly greedy: boolean;
}

/** Scores the continuations of texts that share beginnings, one after the other. */
async function runTree(
  model: LanguageModel,
  texts: readonly Text[],
  { products, greedy }: RunOptions,
): Promise<RowScores> {
  const tree = growTree(
    model.backend,
    texts.map(({ input }) => input),
  );
  const count = texts.reduce((sum, { window }) => sum + window.to - window.from, 0);
  const rows = new Int32Array(count);
  const targets = new Int32Array(count);
  let at = 0;
  for (const [index, { window }] of texts.entries()) {
    rows.set(tree.rows[index].subarray(window.from, window.to), at);
    targets.set(window.ids.subarray(window.from + 1, window.to + 1), at);
    at += window.to - window.from;
  }
  const wanted = Tensor.from(model.backend, "i32", [count], rows);
  const hidden = model.hiddenStates(model.tokens([tree.ids]), { tree, wanted, products });
  try {
    const states = hidden.reshape([count, model.model.hiddenSize]);
    return await scoreRows(model, states, { targets, products, greedy });
  } finally {
    hidden.release();
  }
}

/** Scores the continuation of one text, without a tree. */
async function runAlone(
  model: LanguageModel,
  [{ window, input }]: readonly Text[],
  { products, greedy }: RunOptions,
): Promise<RowScores> {
  const hidden = model.hiddenStates(model.tokens([input]), { products });
  try {
    const all = hidden.reshape([input.length, model.model.hiddenSize]);
    const targets = window.ids.slice(window.from + 1, window.to + 1);
    return await scoreRows(model, all.slice(window.from, window.to), { targets, products, greedy });
  } finally {
    hidden.release();
  }
}

function total(losses: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < losses.length; i++) sum += losses[i];
  if (!Number.isNaN(sum)) return sum;
  throw new NumericError("the model's logits are not numbers: its activations overflowed", {
    hint: "the checkpoint is damaged or its scales are wrong; make it again",
  });
}
