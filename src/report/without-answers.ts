import type { Evaluation, TaskEvaluation } from "../evaluation/evaluation.ts";
import type { TaskScore } from "../evaluation/tasks/task.ts";

/** The scores of a task without its single answers. */
type BriefScore = Omit<TaskScore, "answers">;

/** What has scores of tasks, and perhaps those of an original beside them. */
interface Scored {
  readonly tasks: readonly TaskScore[];
  readonly original: { readonly tasks: readonly TaskScore[] } | null;
}

/** An evaluation without the answers to single items, which would make a document of many pages. */
export type BriefEvaluation<T extends Scored = Evaluation | TaskEvaluation> = Omit<
  T,
  "tasks" | "original"
> & {
  readonly tasks: readonly BriefScore[];
  readonly original: { readonly tasks: readonly BriefScore[] } | null;
};

/** Leaves the answers to single items out of an evaluation, so that it can be read as a whole. */
export function withoutAnswers<T extends Scored>(evaluation: T): BriefEvaluation<T> {
  const { original } = evaluation;
  return {
    ...evaluation,
    tasks: evaluation.tasks.map(brief),
    original: original && { ...original, tasks: original.tasks.map(brief) },
  };
}

function brief(score: TaskScore): BriefScore {
  const { answers: _answers, ...rest } = score;
  return rest;
}
