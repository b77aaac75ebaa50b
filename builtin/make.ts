/**
 * Makes the built-in model anew from its seeds: texts and tasks, the model, and the checkpoints
 * that are shipped because their training takes minutes. Run from the root of the repository:
 *
 *   npm run builtin                   all of it
 *   npm run builtin -- texts          or a part: texts, model, checkpoints
 */
import { mkdirSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { processIo } from "../src/cli/io.ts";
import { main } from "../src/cli/main.ts";
import { type ShippedCheckpoint, shippedCheckpoints } from "./shipped-checkpoints.ts";
import type { Mixture } from "./world/corpus.ts";
import { writeSmallFiles, writeTrainingText } from "./write-texts.ts";

const parts = ["texts", "model", "checkpoints"] as const;
type Part = (typeof parts)[number];

/** More than a training goes through, in millions of characters. */
const trainingMegacharacters = 42;
/** Texts and models of the trainings. */
const work = ".fewbit/builtin";
const folder = fileURLToPath(new URL(".", import.meta.url));

const make: Readonly<Record<Part, () => Promise<void>>> = {
  async texts() {
    writeSmallFiles(folder);
  },
  async model() {
    await train("early", `${work}/early`);
    await train("full", "builtin/model");
  },
  async checkpoints() {
    mkdirSync("builtin/checkpoints", { recursive: true });
    for (const checkpoint of shippedCheckpoints) await fewbit(wordsOf(checkpoint));
  },
};

/** Trains by `builtin/train-….json` on the text of that name. */
async function train(mixture: Mixture, out: string): Promise<void> {
  writeTrainingText(`${work}/${mixture}.txt`, mixture, trainingMegacharacters);
  await fewbit(["train", `builtin/train-${mixture}.json`, "--out", out, "--overwrite"]);
}

function wordsOf({ words, path }: ShippedCheckpoint): string[] {
  return ["quantize", "builtin/model", ...words, "--out", path, "--overwrite"];
}

async function fewbit(words: readonly string[]): Promise<void> {
  const code = await main(words, processIo());
  if (code !== 0) process.exit(code);
}

process.chdir(fileURLToPath(new URL("..", import.meta.url)));
const chosen = process.argv.slice(2);
const wrong = chosen.find((word) => !(parts as readonly string[]).includes(word));
if (wrong !== undefined) {
  console.error(`error  ${wrong} is no part of the built-in model: ${parts.join(", ")}`);
  process.exit(2);
}
for (const part of parts) if (chosen.length === 0 || chosen.includes(part)) await make[part]();
