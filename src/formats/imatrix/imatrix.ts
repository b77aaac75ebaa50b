import { FormatError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";

/** What was measured of the inputs of one weight, of each expert by itself. */
export interface ImatrixEntry {
  /** `Σ x²` of each column, `[experts, columns]`. */
  readonly sums: Float32Array;
  /** Tokens that the sums are over: of each expert, or one number for all. */
  readonly counts: Float32Array;
}

/** An importance file of llama.cpp. */
export interface Imatrix {
  /** Names of the texts that it was measured on. */
  readonly datasets: readonly string[];
  /** Chunks of text, and tokens a chunk; 0 where the file does not say. */
  readonly chunkCount: number;
  readonly chunkSize: number;
  /** By the name of the weight in GGUF files, such as `blk.0.attn_q.weight`. */
  readonly entries: ReadonlyMap<string, ImatrixEntry>;
}

/** Importance of the columns of a weight, all above 0, and of how many it is not known. */
export interface ColumnImportance {
  readonly values: Float32Array;
  readonly unseen: number;
}

/**
 * Checks numbers that a file has for a weight. An infinite sum is refused, too: its mean is none.
 * @throws FormatError that names the weight and the number
 */
export function expectEntry(where: string, name: string, { sums, counts }: ImatrixEntry): void {
  for (const [what, numbers] of Object.entries({ sum: sums, count: counts })) {
    const fault = numbers.findIndex((number) => !(number >= 0 && number < Infinity));
    if (fault < 0) continue;
    throw new FormatError(
      `${where}: ${quoteName(name)}: ${what} ${fault} is ${numbers[fault]}, not a number from 0`,
      { hint: "measure the importance again, on another text" },
    );
  }
  if (counts.length > 0 && sums.length > 0 && sums.length % counts.length === 0) return;
  throw new FormatError(
    `${where}: ${quoteName(name)} has ${formatCount(sums.length)} sums for ` +
      `${formatCount(counts.length)} counts`,
  );
}

/**
 * Returns the importance of the columns of a weight: mean squares of its inputs. A column whose
 * inputs were 0 counts as the least important of the others: its weights must come out as something.
 * Null where no token came to the weight, or all inputs were 0.
 * @throws FormatError when the file has another number of columns
 */
export function columnImportance(
  where: string,
  name: string,
  { sums, counts }: ImatrixEntry,
  columns: number,
): ColumnImportance | null {
  if (sums.length !== columns) {
    throw new FormatError(
      `${where}: ${quoteName(name)} has ${formatCount(sums.length)} columns, the model's weight ` +
        `has ${formatCount(columns)}`,
      { hint: "the file is of another model", field: "imatrix", value: where },
    );
  }
  const [count] = counts;
  return count > 0 ? fillUnseen(sums.map((sum) => sum / count)) : null;
}

/**
 * Returns what an entry of a stack has of one expert; where it has columns of one matrix only, the
 * entry itself. Files of the binary form count the tokens of all experts together.
 */
export function expertEntry(
  { sums, counts }: ImatrixEntry,
  expert: number,
  columns: number,
): ImatrixEntry {
  if (sums.length < (expert + 1) * columns) return { sums, counts };
  return {
    sums: sums.subarray(expert * columns, (expert + 1) * columns),
    counts: counts.length === 1 ? counts : counts.subarray(expert, expert + 1),
  };
}

/** Gives columns of no importance the least of the others; null where all have none. */
export function fillUnseen(values: Float32Array): ColumnImportance | null {
  const least = values.reduce((a, b) => (b > 0 && b < a ? b : a), Number.POSITIVE_INFINITY);
  if (least === Number.POSITIVE_INFINITY) return null;
  const filled = values.map((value) => (value > 0 ? value : least));
  return { values: filled, unseen: values.filter((value) => !(value > 0)).length };
}
