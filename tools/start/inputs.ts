import { readdirSync } from "node:fs";
import { join } from "node:path";
import { presentCheckpoints, type ShippedCheckpoint } from "../../builtin/shipped-checkpoints.ts";
import { UsageError } from "../../src/util/errors.ts";

/** What `npm start` works on. */
export interface Inputs {
  readonly model: string;
  readonly calibration: string;
  readonly test: string;
  readonly tasks: readonly string[];
  /** Checkpoints of the model that were made before. */
  readonly shipped: readonly ShippedCheckpoint[];
  readonly prompts: readonly string[];
}

/**
 * The built-in model and what belongs to it, or a model, two texts and tasks from the command line.
 */
export function findInputs(root: string, words: readonly string[]): Inputs {
  const [model, calibration, test, ...tasks] = words;
  if (model && calibration && test) {
    return { model, calibration, test, tasks, shipped: [], prompts: ["It was a"] };
  }
  if (words.length > 0) {
    throw new UsageError("npm start needs a model and two texts, or nothing", {
      hint: "npm start -- MODEL CALIBRATION-TEXT TEST-TEXT [TASK...]",
    });
  }
  const builtin = join(root, "builtin");
  return {
    model: join(builtin, "model"),
    calibration: join(builtin, "text", "calibration.txt"),
    test: join(builtin, "text", "held-out.txt"),
    tasks: readdirSync(join(builtin, "tasks"))
      .filter((name) => name.endsWith(".jsonl"))
      .sort()
      .map((name) => join(builtin, "tasks", name)),
    shipped: presentCheckpoints(root),
    prompts: [
      "The lamp was on the table. The ring was in the box. Mara took the lamp.",
      "Tom has three apples. He finds two more apples.",
    ],
  };
}
