/**
 * Writes the texts and tasks of the built-in model. Everything follows from the seeds here.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { type Mixture, writeCorpus } from "./world/corpus.ts";
import { tasks, writeTask } from "./world/tasks.ts";

const megabyte = 1_000_000;
const seeds = { early: 1, full: 4, validation: 2, heldOut: 3, tasks: 100 };

/**
 * Items of each task: divisible by every number of choices, so that each place is right as often.
 */
const taskSize = 120;

/** What is written where, below the folder of the built-in model. */
export function smallFiles(): Map<string, string> {
  const files = new Map([
    // The beginning of the second training text.
    ["text/calibration.txt", writeCorpus(seeds.full, "training", 0.4 * megabyte)],
    ["text/validation.txt", writeCorpus(seeds.validation, "training", 0.1 * megabyte)],
    ["text/held-out.txt", writeCorpus(seeds.heldOut, "held-out", 0.1 * megabyte)],
  ]);
  for (const name of Object.keys(tasks)) {
    const items = writeTask(name, seeds.tasks, taskSize);
    files.set(`tasks/${name}.jsonl`, `${items.map((item) => JSON.stringify(item)).join("\n")}\n`);
  }
  return files;
}

/** Writes a training text, as many millions of characters as asked for. */
export function writeTrainingText(path: string, mixture: Mixture, megacharacters: number): void {
  write(path, writeCorpus(seeds[mixture], "training", megacharacters * megabyte, mixture));
}

/** Writes the small files below a folder. */
export function writeSmallFiles(folder: string): void {
  for (const [name, content] of smallFiles()) write(join(folder, name), content);
}

function write(path: string, content: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}
