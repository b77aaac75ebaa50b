import type { Task } from "../../evaluation/tasks/task.ts";

/** The first items of a task; all of it without a limit. */
export function limitTask(task: Task, limit: number | undefined): Task {
  return limit === undefined ? task : { ...task, items: task.items.slice(0, limit) };
}
