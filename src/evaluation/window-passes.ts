import type { Backend } from "../backend/backend.ts";
import type { Products } from "../backend/packed-operand.ts";
import type { EvaluationWindow } from "../calibration/windows.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { Tensor } from "../tensor/tensor.ts";

const tokensPerPass = 1024;
const rowsPerChunk = 256;

/** Groups windows of one length into those that go through a model together. */
export function windowGroups(windows: readonly EvaluationWindow[]): EvaluationWindow[][] {
  const perPass = Math.max(1, Math.floor(tokensPerPass / (windows[0]?.ids.length ?? 1)));
  const groups: EvaluationWindow[][] = [];
  for (let first = 0; first < windows.length; first += perPass) {
    groups.push(windows.slice(first, first + perPass));
  }
  return groups;
}

/** Final hidden states of windows of one length, below each other: `[windows · length, d]`. */
export async function finalRows(
  model: LanguageModel,
  windows: readonly EvaluationWindow[],
  products: Products,
): Promise<Tensor> {
  const ids = model.tokens(windows.map((window) => window.ids));
  const hidden = model.hiddenStates(ids, { products });
  await model.backend.synchronize();
  const [batch = 0, length = 0, width = 0] = hidden.shape;
  return hidden.reshape([batch * length, width]);
}

/** Cuts the scored positions of a window into ranges whose logits are held at one time. */
export function rowChunks({ from, to }: EvaluationWindow): { start: number; end: number }[] {
  const chunks: { start: number; end: number }[] = [];
  for (let start = from; start < to; start += rowsPerChunk) {
    chunks.push({ start, end: Math.min(to, start + rowsPerChunk) });
  }
  return chunks;
}

/** The tokens that follow positions `[start, end)` of a window, `[end − start]`. */
export function targetsOf(
  backend: Backend,
  { ids }: EvaluationWindow,
  start: number,
  end: number,
): Tensor<"i32"> {
  return Tensor.from(backend, "i32", [end - start], ids.slice(start + 1, end + 1));
}
