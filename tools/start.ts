/**
 * `npm start`: does the main job on a real model, by the recipe `builtin/start.yaml`. Quantizes it
 * in several ways, measures each against the original, lets it continue texts, and writes a page
 * with charts. Takes the built-in model unless told otherwise:
 *
 *   npm start -- [MODEL CALIBRATION-TEXT TEST-TEXT [TASK...]]
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { basename, dirname, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { parse } from "yaml";
import type { SweepRecipeInput } from "../src/index.ts";
import { runSweep } from "./run-sweep.ts";

const usual = "builtin/start.yaml";
const own = ".fewbit/start.json";

/** Paths of a recipe begin at its folder; what the command line names, at this one. */
function placed(path: string): string {
  return path.startsWith("hf:") ? path : resolve(path);
}

/** Writes the recipe for another model; returns its path. */
function writeRecipe([
  model = "",
  calibration = "",
  test = "",
  ...tasks
]: readonly string[]): string {
  const recipe = parse(readFileSync(usual, "utf8")) as SweepRecipeInput;
  const [text] = recipe.evaluation.texts ?? [];
  const changed = {
    ...recipe,
    models: [{ id: basename(model).replaceAll(/[^\w.-]/g, "-"), path: placed(model) }],
    calibration: { ...recipe.calibration, files: placed(calibration), allowFewer: true },
    variants: recipe.variants.filter((variant) => !("checkpoint" in variant)),
    evaluation: {
      ...recipe.evaluation,
      texts: [{ ...(text as object), file: placed(test) }],
      tasks: tasks.map((task) => task.replace(/(?<=^(?:\w+=)?)[^=]+$/, placed)),
      samples: { ...recipe.evaluation.samples, prompts: ["It was a"] },
    },
  };
  mkdirSync(dirname(own), { recursive: true });
  writeFileSync(own, JSON.stringify(changed, null, 2));
  return own;
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const words = process.argv.slice(2);
const isOwn = words.length > 0;
if (isOwn && words.length < 3) {
  console.error("error  npm start needs a model and two texts, or nothing");
  console.error("       npm start -- MODEL CALIBRATION-TEXT TEST-TEXT [TASK...]");
  process.exitCode = 2;
} else await runSweep(isOwn ? writeRecipe(words) : usual, ".fewbit/start", ["--verbose"]);
