import type { Products } from "../../backend/packed-operand.ts";
import type { KvCache } from "../../nn/kv-cache.ts";
import type { PagedRows } from "../../nn/paged-rows.ts";
import { rowwise } from "../../tensor/rowwise.ts";
import { Tensor, tidy } from "../../tensor/tensor.ts";
import type { LanguageModel } from "../language-model.ts";
import type { PagedText } from "./paged-text.ts";

/** Tokens of a text in a pass: those that are pending, from the first on, and guesses behind them. */
export interface TextRows {
  readonly text: PagedText;
  /** Pending tokens that are read. */
  readonly count: number;
  /** Guesses behind the last token; only where all that is pending is read. */
  readonly guesses?: readonly number[];
  /** Rows whose logits are wanted, counted from the first of the text. */
  readonly logits: readonly number[];
  /** Whether the final hidden states of all rows are wanted. */
  readonly states?: boolean;
}

/** What runs passes: a model and the cache that the blocks of texts are in. */
export interface PagedModel {
  readonly model: LanguageModel;
  readonly cache: KvCache;
  readonly blockSize: number;
  readonly products: Products;
}

/** What a pass gives for a text, in the order of its rows. */
export interface TextResults {
  readonly logits: readonly Float32Array[];
  /** `[rows, hiddenSize]`; empty unless wanted. */
  readonly states: Float32Array;
}

/**
 * Runs one pass over rows of several texts, for which blocks are there. Each row gives what it would
 * give alone.
 */
export async function runRows(
  { model, cache, blockSize, products }: PagedModel,
  texts: readonly TextRows[],
): Promise<TextResults[]> {
  const wanted = wantedRows(texts);
  const { hiddenSize, vocabularySize } = model.config;
  const counts = [wanted.logits.length, wanted.states.length] as const;
  const outputs = tidy(() =>
    rowwise(() => {
      const paged = pagedRows(model, texts, blockSize);
      const rows = [...wanted.logits, ...wanted.states];
      const some = rows.length > 0 && { wanted: indices(model, rows) };
      const options = { cache, paged, products, ...some };
      const hidden = model.hiddenStates(model.tokens([texts.flatMap(idsOf)]), options);
      const flat = hidden.reshape([hidden.size / hiddenSize, hiddenSize]);
      const parts: Tensor<"f32">[] = [];
      if (counts[0] > 0) parts.push(model.logits(flat.slice(0, counts[0]), products));
      if (counts[1] > 0) parts.push(model.finalStates(flat.slice(counts[0], rows.length)));
      return parts;
    }),
  );
  if (outputs.length === 0) await model.backend.synchronize();
  const values = await Promise.all(outputs.map((output) => output.read()));
  for (const output of outputs) output.release();
  const logits = counts[0] > 0 ? (values.shift() ?? noFloats) : noFloats;
  return share(texts, logits, values[0] ?? noFloats, [vocabularySize, hiddenSize]);
}

const noFloats = new Float32Array(0);

function idsOf({ text, count, guesses = [] }: TextRows): number[] {
  return [...text.ids.slice(text.computed, text.computed + count), ...guesses];
}

function rowsOf({ count, guesses = [] }: TextRows): number {
  return count + guesses.length;
}

/** Rows of the pass whose logits and whose states are wanted. */
function wantedRows(texts: readonly TextRows[]): {
  readonly logits: readonly number[];
  readonly states: readonly number[];
} {
  const [logits, states]: [number[], number[]] = [[], []];
  let first = 0;
  for (const text of texts) {
    for (const row of text.logits) logits.push(first + row);
    if (text.states) for (let i = 0; i < rowsOf(text); i++) states.push(first + i);
    first += rowsOf(text);
  }
  return { logits, states };
}

function pagedRows(model: LanguageModel, texts: readonly TextRows[], blockSize: number): PagedRows {
  const positions: number[] = [];
  const slots: number[] = [];
  const width = Math.max(...texts.map(({ text }) => text.table.length));
  const tables = new Int32Array(texts.length * width);
  const spans = new Int32Array(texts.length * 2);
  for (const [i, rows] of texts.entries()) {
    const { text } = rows;
    tables.set(text.table, i * width);
    spans.set([rowsOf(rows), text.computed], 2 * i);
    for (let row = 0; row < rowsOf(rows); row++) {
      positions.push(text.computed + row);
      slots.push(text.slot(text.computed + row));
    }
  }
  return {
    positions: indices(model, positions),
    depth: Math.max(...positions) + 1,
    slots: indices(model, slots),
    spans: Tensor.from(model.backend, "i32", [texts.length, 2], spans),
    tables: Tensor.from(model.backend, "i32", [texts.length, width], tables),
    blockSize,
  };
}

function indices({ backend }: LanguageModel, values: readonly number[]): Tensor<"i32"> {
  return Tensor.from(backend, "i32", [values.length], Int32Array.from(values));
}

/** Gives each text its part of what the pass gave. */
function share(
  texts: readonly TextRows[],
  logits: Float32Array,
  states: Float32Array,
  [vocabulary, hidden]: readonly [number, number],
): TextResults[] {
  let [row, state] = [0, 0];
  return texts.map((text) => {
    const own = text.logits.map(() => logits.subarray(row * vocabulary, ++row * vocabulary));
    const end = state + (text.states ? rowsOf(text) * hidden : 0);
    const part = states.subarray(state, end);
    state = end;
    return { logits: own, states: part };
  });
}
