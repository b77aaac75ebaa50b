import { exists } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { openTasks, scoreTasks } from "./evaluate-tasks.ts";
import type { MeasureOptions, TaskSelection } from "./evaluation.ts";
import { openWindows, type WindowChoice } from "./open-windows.ts";
import { hashItems, TeacherMeasurement } from "./teacher-measurement.ts";
import { TeacherStates } from "./teacher-states.ts";

/** What an original is measured on, and models later: text, window, protocol and number. */
export interface MeasureTeacherOptions
  extends WindowChoice,
    Omit<TaskSelection, "samples">,
    Pick<MeasureOptions<LanguageModel>, "onTaskProgress" | "signal"> {
  /**
   * A file for the hidden states. When it has those of the same windows they are read from it,
   * otherwise they are computed and written. The caller makes sure that the file belongs to this
   * teacher. Absent: they are kept in memory.
   */
  readonly statesFile?: string;
}

/**
 * Runs an original on a text, and on tasks, for `evaluateModel` of many models: their option
 * `measured`.
 * @throws UsageError when the text is shorter than one window
 * @throws FormatError when a task file is not as it should be, or the states' file is damaged
 */
export async function measureTeacher(
  teacher: LanguageModel,
  options: MeasureTeacherOptions,
): Promise<TeacherMeasurement> {
  const tasks = await openTasks(options);
  const states = await openStates(teacher, options);
  const { signal, onTaskProgress } = options;
  const scores = await scoreTasks(teacher, tasks, { signal, onTaskProgress });
  const entries = tasks.map((task, index) => [hashItems(task), scores[index]] as const);
  return new TeacherMeasurement(states, new Map(entries));
}

async function openStates(
  teacher: LanguageModel,
  { statesFile: path, signal, ...choice }: MeasureTeacherOptions,
): Promise<TeacherStates> {
  const { windows } = await openWindows(teacher, choice);
  const kept =
    path && (await exists(path)) ? await TeacherStates.open(path, teacher, windows) : null;
  if (kept) return kept;
  const states = await TeacherStates.compute(teacher, windows, signal);
  if (!path) return states;
  await states.save(path);
  const mapped = await TeacherStates.open(path, teacher, windows);
  if (!mapped) return states;
  states.release();
  return mapped;
}
