import type { Products } from "../backend/packed-operand.ts";
import type { EvaluationWindow } from "../calibration/windows.ts";
import { monotonicMs } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { crossEntropy, klDivergence } from "../tensor/ops.ts";
import { type Tensor, tidy } from "../tensor/tensor.ts";
import { throwIfCancelled } from "../util/errors.ts";
import type { TeacherStates } from "./teacher-states.ts";
import { finalRows, rowChunks, targetsOf, windowGroups } from "./window-passes.ts";

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
  /** The teacher's states and losses on the same windows: its blocks are not run again. */
  readonly teacherStates?: TeacherStates | undefined;
  /** How the model's packed weights multiply; the teacher's always multiply exactly. */
  readonly products: Products;
  readonly signal?: AbortSignal | undefined;
  /** Called after each pass with its windows' scores and the time the model's own work took. */
  readonly onScores: (scores: readonly WindowScore[], forwardMs: number) => void;
}

/**
 * Runs windows of equal length through a model, several at a time, and scores their predictions.
 */
export async function scoreWindows(
  model: LanguageModel,
  windows: readonly EvaluationWindow[],
  { teacher, teacherStates, products, signal, onScores }: ScoreOptions,
): Promise<void> {
  teacherStates?.expectWindows(windows);
  let done = 0;
  for (const [pass, group] of windowGroups(windows).entries()) {
    throwIfCancelled(signal);
    const teacherRows =
      teacherStates?.pass(pass) ?? (teacher && (await finalRows(teacher, group, "exact")));
    const startedMs = monotonicMs();
    const hidden = await finalRows(model, group, products);
    const forwardMs = monotonicMs() - startedMs;
    const scores: WindowScore[] = [];
    for (const [row, window] of group.entries()) {
      const first = row * window.ids.length;
      const teacherLosses = teacherStates?.losses[done++];
      const pieces: Chunk[] = [];
      for (const { start, end } of rowChunks(window)) {
        const rows = (all: Tensor) => all.slice(first + start, first + end);
        const student = { model, rows: rows(hidden), products };
        const original = teacher && teacherRows && { model: teacher, rows: rows(teacherRows) };
        const targets = targetsOf(model.backend, window, start, end);
        pieces.push(scoreRows(student, original, targets, !teacherLosses));
        await model.backend.synchronize();
      }
      const [losses, divergences, agreements, computed] = await collect(pieces);
      scores.push({
        losses: losses ?? new Float32Array(),
        teacherLosses: teacherLosses ?? computed ?? null,
        divergences: divergences ?? null,
        agreements: agreements ?? null,
      });
    }
    hidden.release();
    if (!teacherStates) teacherRows?.release();
    onScores(scores, forwardMs);
  }
}

interface Rows {
  readonly model: LanguageModel;
  readonly rows: Tensor;
}

/** Losses, and with a teacher divergences, agreements and perhaps its own losses, of some rows. */
type Chunk = readonly Tensor<"f32">[];

function scoreRows(
  student: Rows & { readonly products: Products },
  teacher: Rows | undefined,
  targets: Tensor<"i32">,
  withTeacherLosses: boolean,
): Chunk {
  return tidy<Chunk>(() => {
    const logits = student.model.logits(student.rows, student.products);
    const losses = crossEntropy(logits, targets);
    if (!teacher) return [losses];
    const teacherLogits = teacher.model.logits(teacher.rows);
    const { divergence, agree } = klDivergence(teacherLogits, logits);
    if (!withTeacherLosses) return [losses, divergence, agree];
    return [losses, divergence, agree, crossEntropy(teacherLogits, targets)];
  });
}

/** Reads the chunks of a window and joins them, each kind of figure in an array of its own. */
async function collect(pieces: readonly Chunk[]): Promise<Float32Array[]> {
  const joined: Float32Array[] = [];
  for (let kind = 0; kind < (pieces[0]?.length ?? 0); kind++) {
    const out = new Float32Array(pieces.reduce((sum, piece) => sum + piece[kind].size, 0));
    let at = 0;
    for (const piece of pieces) {
      const values = await piece[kind].read();
      piece[kind].release();
      out.set(values, at);
      at += values.length;
    }
    joined.push(out);
  }
  return joined;
}
