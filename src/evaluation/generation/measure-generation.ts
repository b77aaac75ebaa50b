import type { Products } from "../../backend/packed-operand.ts";
import { monotonicMs } from "../../platform/node.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { NumericError } from "../../util/errors.ts";
import { meanOf } from "../../util/sums.ts";
import type { MeasureOptions } from "../evaluation.ts";
import { scoreWindows } from "../score-windows.ts";
import { describeContinuations } from "./describe-continuations.ts";
import type { GenerateChoice, GenerationFigures, GenerationProgress } from "./generation.ts";
import { openPrompts } from "./open-prompts.ts";
import { OriginalContinuations } from "./original-continuations.ts";
import { writeContinuations } from "./write-continuations.ts";

/** How a model is judged by what it writes. */
export interface MeasureGenerationOptions
  extends Pick<MeasureOptions<LanguageModel>, "against" | "products" | "signal"> {
  readonly choice: GenerateChoice;
  /** What the original (`against`) wrote to the same choice: not written again. */
  readonly original?: OriginalContinuations | undefined;
  readonly onProgress?: ((progress: GenerationProgress) => void) | undefined;
}

/** What came of it: of the model, and of the original; null without one. */
export interface MeasuredGeneration {
  readonly generation: GenerationFigures;
  readonly original: GenerationFigures | null;
}

/**
 * Lets a model continue prompts and measures what it writes; with an original, of the same
 * vocabulary and backend, also how far it is from that on what that writes. Both get the prompts as
 * the original's tokenizer and chat template have them.
 * @throws as `openPrompts`; NumericError when the model's logits are not numbers
 */
export async function measureGeneration(
  model: LanguageModel,
  { choice, against, products = "exact", signal, original, onProgress }: MeasureGenerationOptions,
): Promise<MeasuredGeneration> {
  const opened = original?.opened ?? (await openPrompts(against ?? model, choice));
  const count = opened.prompts.length;
  const tick = progressOf(count * (against ? (original ? 2 : 3) : 1), onProgress);
  const told = { signal, onWritten: tick };
  const kept =
    original ?? (against ? await OriginalContinuations.write(against, choice, told) : null);
  try {
    const written = await writeContinuations(model, opened, { choice, products, ...told });
    const divergences =
      kept && against
        ? await divergencesOn(model, kept, { against, products, signal, tick })
        : null;
    const described = { choice, opened };
    return {
      generation: describeContinuations(written, { ...described, kept, divergences }),
      original: kept && describeContinuations(kept.written, described),
    };
  } finally {
    if (!original) kept?.release();
  }
}

/** Figures of what an original wrote, without another model. */
export function describeOriginal(
  { opened, written }: OriginalContinuations,
  choice: GenerateChoice,
): GenerationFigures {
  return describeContinuations(written, { choice, opened });
}

/** Mean KL(original ‖ model) on each of the original's continuations, in nats a token. */
async function divergencesOn(
  model: LanguageModel,
  original: OriginalContinuations,
  {
    against: teacher,
    products,
    signal,
    tick,
  }: {
    readonly against: LanguageModel;
    readonly products: Products;
    readonly signal: AbortSignal | undefined;
    readonly tick: () => void;
  },
): Promise<number[]> {
  const states = await original.states(signal);
  const means: number[] = [];
  for (const [index, window] of original.windows.entries()) {
    const onScores = ([score]: readonly { readonly divergences: Float32Array | null }[]): void => {
      means.push(meanOf(score.divergences ?? []));
    };
    const teacherStates = states[index];
    await scoreWindows(model, [window], { teacher, teacherStates, products, signal, onScores });
    tick();
  }
  if (!means.some(Number.isNaN)) return means;
  throw new NumericError("the model's logits are not numbers: its activations overflowed", {
    hint: "the checkpoint is damaged or its scales are wrong; make it again",
  });
}

/** Counts pieces of work and tells of each. */
function progressOf(total: number, onProgress: MeasureGenerationOptions["onProgress"]): () => void {
  const startedMs = monotonicMs();
  let done = 0;
  return () => {
    done++;
    const elapsedMs = monotonicMs() - startedMs;
    const remainingMs = (elapsedMs * (total - done)) / done;
    onProgress?.({ done, total, elapsedMs, remainingMs });
  };
}
