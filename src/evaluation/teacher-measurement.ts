import { sha256 } from "../platform/node.ts";
import type { Task, TaskScore } from "./tasks/task.ts";
import type { TeacherStates } from "./teacher-states.ts";

/** Measurements of an original on a text and on tasks, which serve every model made from it. */
export class TeacherMeasurement {
  readonly states: TeacherStates;
  /** Scores by the hash of the task's items. */
  private readonly scores: ReadonlyMap<string, TaskScore>;

  constructor(states: TeacherStates, scores: ReadonlyMap<string, TaskScore>) {
    this.states = states;
    this.scores = scores;
  }

  /** The original's score of a task; null when it was not measured on these items. */
  scoreOf(task: Task): TaskScore | null {
    const score = this.scores.get(hashItems(task));
    return score ? { ...score, name: task.name } : null;
  }

  /** Releases the memory of the hidden states. */
  release(): void {
    this.states.release();
  }
}

/** Hashes what a task asks. */
export function hashItems({ items, rule, normalized }: Task): string {
  return sha256(JSON.stringify({ items, rule, normalized }));
}
