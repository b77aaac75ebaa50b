import type { Backend } from "../../backend/backend.ts";
import type { EvaluationWindow } from "../../calibration/windows.ts";
import { scoreWindows } from "../../evaluation/score-windows.ts";
import { blockLength } from "../../evaluation/statistics/bootstrap.ts";
import { comparePaired } from "../../evaluation/statistics/paired-comparison.ts";
import { TeacherStates } from "../../evaluation/teacher-states.ts";
import type { UniformComparison } from "../../run/allocation-record.ts";
import { load } from "../../runtime/load.ts";
import { meanOf } from "../../util/sums.ts";

/** Two checkpoints of one original. */
export interface ComparedCheckpoints {
  readonly original: string;
  readonly allocated: string;
  readonly uniform: string;
}

/** Mean divergence and loss of each window. */
interface Scores {
  readonly divergences: number[];
  readonly losses: number[];
}

/**
 * Measures how far two checkpoints are from their original on windows that were held out, and says
 * by the paired bootstrap how sure the difference is. The one that diverges less is to be kept.
 */
export async function compareOnWindows(
  { original, allocated, uniform }: ComparedCheckpoints,
  ids: readonly Int32Array[],
  { backend, signal }: { readonly backend: Backend; readonly signal?: AbortSignal | undefined },
): Promise<Omit<UniformComparison, "scheme" | "sizeBytes">> {
  const windows = ids.map((window) => ({ ids: window, from: 0, to: window.length - 1 }));
  const teacher = await load(original, { backend, signal });
  const score = async (path: string): Promise<Scores> => {
    const student = await load(path, { backend, signal });
    try {
      return await scoreOf(windows, async (onScores) => {
        await scoreWindows(student, windows, {
          teacher,
          teacherStates: states,
          products: "exact",
          signal,
          onScores,
        });
      });
    } finally {
      student.release();
    }
  };
  const states = await TeacherStates.compute(teacher, windows, signal);
  try {
    const a = await score(allocated);
    const b = await score(uniform);
    const means = [a, b].map(({ divergences }) => meanOf(divergences));
    const difference = comparePaired(a.divergences, b.divergences, {
      better: "lower",
      block: blockLength(windows.length),
    });
    return {
      divergence: { allocated: means[0], uniform: means[1] },
      perplexity: {
        allocated: Math.exp(meanOf(a.losses)),
        uniform: Math.exp(meanOf(b.losses)),
      },
      difference,
      windows: windows.length,
      window: ids[0]?.length ?? 0,
      written: means[0] <= means[1] ? "allocated" : "uniform",
    };
  } finally {
    states.release();
    teacher.release();
  }
}

type OnScores = Parameters<typeof scoreWindows>[2]["onScores"];

async function scoreOf(
  windows: readonly EvaluationWindow[],
  run: (onScores: OnScores) => Promise<void>,
): Promise<Scores> {
  const found: Scores = { divergences: [], losses: [] };
  await run((scores) => {
    for (const { losses, divergences } of scores) {
      found.losses.push(meanOf(losses));
      found.divergences.push(meanOf(divergences ?? []));
    }
  });
  if (found.losses.length === windows.length) return found;
  throw new RangeError(`expected scores of ${windows.length} windows, got ${found.losses.length}`);
}
