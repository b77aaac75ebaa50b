import type { Backend } from "../backend/backend.ts";
import { rowOfId } from "../calibration/image-conversations.ts";
import type { QuantizableModel } from "../nn/quantizable-model.ts";
import { Tensor } from "../tensor/tensor.ts";
import { UsageError } from "../util/errors.ts";

/** Rows of embeddings that were given, by their numbers. */
export interface GivenRows {
  /** Reads rows that follow each other, `[count, hiddenSize]`. */
  read(first: number, count: number): Promise<Float32Array>;
}

/**
 * Embeds windows of equal length, `[windows, length, hiddenSize]`. Ids that stand for rows of
 * embeddings (`rowOfId`) become these rows, in the place of what the model's table has.
 */
export async function embedWindows(
  backend: Backend,
  model: QuantizableModel,
  windows: readonly Int32Array[],
  given: GivenRows | null,
): Promise<Tensor<"f32">> {
  const length = windows[0]?.length ?? 0;
  const ids = new Int32Array(windows.length * length);
  for (const [row, window] of windows.entries()) ids.set(window, row * length);
  const runs = runsOf(ids);
  // What is looked up there is replaced; the table has a row 0 for sure.
  for (const { at, count } of runs) ids.fill(0, at, at + count);
  const embedded = model.embed(Tensor.from(backend, "i32", [windows.length, length], ids));
  if (runs.length === 0) return embedded;
  if (!given) throw new UsageError("windows show images, and no embeddings of images are given");
  const values = await embedded.read();
  for (const { at, first, count } of runs) {
    values.set(await given.read(first, count), at * model.hiddenSize);
  }
  embedded.release();
  return Tensor.from(backend, "f32", embedded.shape, values);
}

/** Tokens from `at` on that are rows which follow each other. */
interface Run {
  readonly at: number;
  readonly first: number;
  count: number;
}

function runsOf(ids: Int32Array): Run[] {
  const runs: Run[] = [];
  for (const [at, id] of ids.entries()) {
    const row = rowOfId(id);
    if (row === null) continue;
    const last = runs.at(-1);
    const follows = last && last.at + last.count === at && last.first + last.count === row;
    if (follows) last.count++;
    else runs.push({ at, first: row, count: 1 });
  }
  return runs;
}
