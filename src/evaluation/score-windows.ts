import type { Products } from "../backend/packed-operand.ts";
import type { EvaluationWindow } from "../calibration/windows.ts";
import { monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { crossEntropy, klDivergence } from "../tensor/ops.ts";
import { Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";

const tokensPerPass = 2048;
const rowsPerChunk = 256;

/** What was measured of one window; arrays have one entry a scored prediction. */
export interface WindowScore {
  /** Negative log-likelihood of the next token, in nats. */
  readonly losses: Float32Array;
  /** The teacher's losses; null without a teacher. */
  readonly teacherLosses: Float32Array | null;
  /** KL(teacher ‖ model) in nats, and 1 where the top tokens agree; null without a teacher. */
  readonly divergences: Float32Array | null;
  readonly agreements: Float32Array | null;
}

/** What scoring needs to know. */
export interface ScoreOptions {
  readonly teacher?: LanguageModel | undefined;
  /** How the model's packed weights multiply; the teacher's always multiply exactly. */
  readonly products: Products;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with the scores of its windows and the time the model's own work took. */
  readonly onScores: (scores: readonly WindowScore[], forwardMs: number) => void;
}

/** Runs windows of equal length through a model, several at a time, and scores their predictions. */
export async function scoreWindows(
  model: LanguageModel,
  windows: readonly EvaluationWindow[],
  { teacher, products, signal, onScores }: ScoreOptions,
): Promise<void> {
  const length = windows[0]?.ids.length ?? 1;
  const perPass = Math.max(1, Math.floor(tokensPerPass / length));
  for (let first = 0; first < windows.length; first += perPass) {
    throwIfCancelled(signal);
    const group = windows.slice(first, first + perPass);
    const teacherHidden = teacher ? await hiddenRows(teacher, group, "exact") : null;
    const startedMs = monotonicMs();
    const hidden = await hiddenRows(model, group, products);
    const forwardMs = monotonicMs() - startedMs;
    const scores: WindowScore[] = [];
    for (const [row, window] of group.entries()) {
      const start = row * length;
      const pieces: Chunk[] = [];
      for (let at = window.from; at < window.to; at += rowsPerChunk) {
        const end = Math.min(window.to, at + rowsPerChunk);
        const targets = Tensor.from(
          model.backend,
          "i32",
          [end - at],
          window.ids.slice(at + 1, end + 1),
        );
        pieces.push(
          scoreRows(
            { model, rows: hidden.slice(start + at, start + end), products },
            teacher && teacherHidden
              ? {
                  model: teacher,
                  rows: teacherHidden.slice(start + at, start + end),
                  products: "exact",
                }
              : null,
            targets,
          ),
        );
        await model.backend.synchronize();
      }
      scores.push(await collect(pieces));
    }
    hidden.release();
    teacherHidden?.release();
    onScores(scores, forwardMs);
  }
}

interface Rows {
  readonly model: LanguageModel;
  readonly rows: Tensor<"f32">;
  readonly products: Products;
}

/** Losses, and with a teacher divergences, agreements and its own losses, of some rows. */
type Chunk = readonly Tensor<"f32">[];

function scoreRows(student: Rows, teacher: Rows | null, targets: Tensor<"i32">): Chunk {
  return tidy<Chunk>(() => {
    const logits = student.model.logits(student.rows, student.products);
    const losses = crossEntropy(logits, targets);
    if (!teacher) return [losses];
    const teacherLogits = teacher.model.logits(teacher.rows, teacher.products);
    const { divergence, agree } = klDivergence(teacherLogits, logits);
    return [losses, divergence, agree, crossEntropy(teacherLogits, targets)];
  });
}

/** Final hidden states of windows of one length, all rows below each other: `[windows · length, d]`. */
async function hiddenRows(
  model: LanguageModel,
  windows: readonly EvaluationWindow[],
  products: Products,
): Promise<Tensor<"f32">> {
  const ids = model.tokens(windows.map((window) => window.ids));
  const hidden = model.hiddenStates(ids, { products });
  await model.backend.synchronize();
  const [batch = 0, length = 0, width = 0] = hidden.shape;
  return hidden.reshape([batch * length, width]);
}

async function collect(pieces: readonly Chunk[]): Promise<WindowScore> {
  const joined = async (kind: number): Promise<Float32Array | null> => {
    if (pieces.some((piece) => !piece[kind])) return null;
    const parts: Float32Array[] = [];
    for (const piece of pieces) parts.push(await (piece[kind] as Tensor<"f32">).read());
    for (const piece of pieces) piece[kind]?.release();
    const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
    let at = 0;
    for (const part of parts) {
      out.set(part, at);
      at += part.length;
    }
    return out;
  };
  return {
    losses: (await joined(0)) ?? new Float32Array(),
    divergences: await joined(1),
    agreements: await joined(2),
    teacherLosses: await joined(3),
  };
}
