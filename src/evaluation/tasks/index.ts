import { arcChallenge, arcEasy } from "./arc.ts";
import boolq from "./boolq.ts";
import type { TaskDefinition } from "./define-task.ts";
import hellaswag from "./hellaswag.ts";
import lambada from "./lambada.ts";
import multipleChoiceFile from "./multiple-choice.ts";
import openbookqa from "./openbookqa.ts";
import piqa from "./piqa.ts";
import siqa from "./siqa.ts";
import winogrande from "./winogrande.ts";

/** All tasks, one line each. */
export const taskDefinitions = {
  piqa,
  arc_easy: arcEasy,
  arc_challenge: arcChallenge,
  hellaswag,
  winogrande,
  boolq,
  siqa,
  openbookqa,
  lambada_openai: lambada,
  multiple_choice: multipleChoiceFile,
} as const;

/** Names of the tasks. */
export type TaskId = keyof typeof taskDefinitions;

/** Returns the task of a name, or null. */
export function findTaskDefinition(id: string): TaskDefinition | null {
  return Object.values<TaskDefinition>(taskDefinitions).find((task) => task.id === id) ?? null;
}
