/**
 * llama.cpp's side of the decode benchmark, a process of its own:
 *
 *   node llama-cpp-side.ts <model.gguf> <threads> [variant]
 *
 * The addon is called directly, without node-llama-cpp's queues and checks, so that nothing but
 * llama.cpp is timed. A variant is one of the CPU libraries in the addon's folder, such
 * as haswell; by default llama.cpp takes the best one for the CPU.
 */
import {
  decodedTokens,
  makePrompt,
  measureGeneration,
  promptTokens,
} from "./decode-measurement.ts";
import {
  type GreedyLlama,
  likeliestToken,
  openGreedyLlama,
  vocabularySize,
} from "./greedy-llama.ts";

async function main(path: string, threads: number, variant: string | undefined): Promise<void> {
  const llama = await openGreedyLlama(path, threads, { contextSize: 512, sequences: 1 }, variant);
  await generate(llama, 2, () => {});
  const kernels = `${llama.version}, ${variant ?? "best"} of ${llama.system}`;
  const measurement = await measureGeneration(
    (onToken) => generate(llama, decodedTokens + 1, onToken),
    kernels,
  );
  process.stdout.write(JSON.stringify(measurement), () => process.exit(0));
}

/** Reads the prompt, then takes the likeliest token each time, whatever it is. */
async function generate(llama: GreedyLlama, count: number, onToken: () => void): Promise<void> {
  const { context } = llama;
  context.disposeSequence(0);
  let ids = Uint32Array.from(makePrompt(vocabularySize));
  for (let done = 0, position = 0; done < count; done++) {
    context.initBatch(ids.length);
    const last = Uint32Array.of(ids.length - 1);
    const [output = 0] = context.addToBatch(0, position, ids, last);
    await context.decodeBatch();
    const token = await likeliestToken(llama, output);
    onToken();
    position = promptTokens + done;
    ids = Uint32Array.of(token);
  }
}

const [path = "", threads, variant] = process.argv.slice(2);
await main(path, Number(threads), variant);
