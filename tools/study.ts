/**
 * Compares methods on a model and one set of texts, by a recipe of `tools/study`: trained ones with
 * those that only look at text (the figures of `docs/trained-methods.md`), or chains with their
 * methods alone (`docs/chains.md`). Takes minutes to hours; what is measured already is not done
 * again.
 *
 *   npm run study -- builtin              or babyllama, prose-6m, chains
 *   npm run study -- builtin --plan       options of fewbit sweep
 */
import { existsSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { writeTrainingText } from "../builtin/write-texts.ts";
import { runSweep } from "./run-sweep.ts";

/** The beginning of the built-in model's training text. */
const trainingText = ".fewbit/builtin/study.txt";
const megacharacters = 12;

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const [name = "builtin", ...options] = process.argv.slice(2);
if (name === "builtin" && !existsSync(trainingText)) {
  writeTrainingText(trainingText, "full", megacharacters);
}
await runSweep(`tools/study/${name}.yaml`, `.fewbit/study/${name}`, options);
