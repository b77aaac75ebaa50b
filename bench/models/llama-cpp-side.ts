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
  describeLlama,
  findLlamaAddon,
  type LlamaContext,
  type LlamaSampler,
  openLlama,
} from "../../test/llama-cpp/llama-addon.ts";

const vocabularySize = 32000;

async function main(path: string, threads: number, variant: string | undefined): Promise<void> {
  const binaries = findLlamaAddon();
  if (!binaries) throw new Error("llama.cpp is not installed for this machine");
  const llama = await openLlama(binaries, variant);
  const model = new llama.AddonModel(path, { addonExports: llama, gpuLayers: 0, useMmap: true });
  if (!(await model.init())) throw new Error(`llama.cpp does not load ${path}`);
  const sizes = { contextSize: 512, batchSize: 512, sequences: 1 };
  const context = new llama.AddonContext(model, { ...sizes, threads, flashAttention: "auto" });
  if (!(await context.init())) throw new Error("llama.cpp does not make a context");
  if (context.getThreads() !== threads)
    throw new Error(`llama.cpp does not take ${threads} threads`);
  const sampler = new llama.AddonSampler(model);
  sampler.applyConfig({ temperature: 0 });
  await generate(context, sampler, 2, () => {});
  const kernels = `${describeLlama(binaries)}, ${variant ?? "best"} of ${llama.systemInfo().trim()}`;
  const measurement = await measureGeneration(
    (onToken) => generate(context, sampler, decodedTokens + 1, onToken),
    kernels,
  );
  process.stdout.write(JSON.stringify(measurement), () => process.exit(0));
}

/** Reads the prompt, then takes the likeliest token each time, whatever it is. */
async function generate(
  context: LlamaContext,
  sampler: LlamaSampler,
  count: number,
  onToken: () => void,
): Promise<void> {
  context.disposeSequence(0);
  let ids = Uint32Array.from(makePrompt(vocabularySize));
  for (let done = 0, position = 0; done < count; done++) {
    context.initBatch(ids.length);
    const last = Uint32Array.of(ids.length - 1);
    const [output = 0] = context.addToBatch(0, position, ids, last);
    await context.decodeBatch();
    const token = await context.sampleToken(output, sampler);
    if (!(token >= 0 && token < vocabularySize)) throw new Error(`llama.cpp chose token ${token}`);
    onToken();
    position = promptTokens + done;
    ids = Uint32Array.of(token);
  }
}

const [path = "", threads, variant] = process.argv.slice(2);
await main(path, Number(threads), variant);
