/**
 * llama.cpp's side of the serving benchmark, a process of its own that answers line by line:
 *
 *   node llama-streams-side.ts <model.gguf> <threads>
 *
 * Each line is a number of streams; the answer is what a token of them costs. All streams are
 * sequences of one context and decoded in one batch, as llama-server does it; the addon is called
 * directly, so that nothing but llama.cpp is timed.
 */
import { createInterface } from "node:readline";
import { type GreedyLlama, likeliestToken, openGreedyLlama } from "./greedy-llama.ts";
import {
  type Cost,
  crowds,
  decodedTokens,
  promptOf,
  promptTokens,
  startClocks,
} from "./serving-streams.ts";

const sequences = Math.max(...crowds);

async function main(path: string, threads: number): Promise<void> {
  const llama = await openGreedyLlama(path, threads, { contextSize: 64 * sequences, sequences });
  say({ ready: llama.version });
  for await (const line of createInterface({ input: process.stdin })) {
    say(await decodeTogether(llama, Number(line)));
  }
  process.stdout.write("{}\n", () => process.exit(0));
}

function say(answer: unknown): void {
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

/** Reads all prompts in one batch, then takes the likeliest token of each sequence, step by step. */
async function decodeTogether(llama: GreedyLlama, count: number): Promise<Cost> {
  const { context } = llama;
  for (let sequence = 0; sequence < count; sequence++) context.disposeSequence(sequence);
  let ids = Array.from({ length: count }, (_, stream) => promptOf(stream));
  let stop = startClocks();
  for (let step = 0; step < decodedTokens; step++) {
    const position = step === 0 ? 0 : promptTokens + step - 1;
    ids = await decodeStep(llama, ids, position);
    if (step === 0) stop = startClocks();
  }
  return stop(count * (decodedTokens - 1));
}

async function decodeStep(
  llama: GreedyLlama,
  ids: readonly (readonly number[])[],
  position: number,
): Promise<number[][]> {
  const { context } = llama;
  context.initBatch(ids.reduce((sum, { length }) => sum + length, 0));
  const outputs = ids.map((own, sequence) => {
    const last = Uint32Array.of(own.length - 1);
    const [output = 0] = context.addToBatch(sequence, position, Uint32Array.from(own), last);
    return output;
  });
  await context.decodeBatch();
  const chosen: number[][] = [];
  for (const output of outputs) chosen.push([await likeliestToken(llama, output)]);
  return chosen;
}

const [path = "", threads] = process.argv.slice(2);
await main(path, Number(threads));
