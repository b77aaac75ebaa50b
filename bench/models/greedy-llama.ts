import {
  describeLlama,
  findLlamaAddon,
  type LlamaContext,
  type LlamaSampler,
  openLlama,
} from "../../test/llama-cpp/llama-addon.ts";

/** Tokens of the models that benchmarks make. */
export const vocabularySize = 32000;

/** A model in llama.cpp, of which the likeliest token is taken. */
export interface GreedyLlama {
  readonly context: LlamaContext;
  readonly sampler: LlamaSampler;
  /** Which llama.cpp it is. */
  readonly version: string;
  /** What it says of the processor. */
  readonly system: string;
}

/**
 * Opens a model in llama.cpp's addon.
 * @param variant one of the CPU libraries in the addon's folder; by default the best one for the CPU
 * @throws Error where it is not installed, or takes the model, the context or the threads not
 */
export async function openGreedyLlama(
  path: string,
  threads: number,
  sizes: { readonly contextSize: number; readonly sequences: number },
  variant?: string,
): Promise<GreedyLlama> {
  const binaries = findLlamaAddon();
  if (!binaries) throw new Error("llama.cpp is not installed for this machine");
  const llama = await openLlama(binaries, variant);
  const model = new llama.AddonModel(path, { addonExports: llama, gpuLayers: 0, useMmap: true });
  if (!(await model.init())) throw new Error(`llama.cpp does not load ${path}`);
  const all = { ...sizes, batchSize: 512, threads, flashAttention: "auto" } as const;
  const context = new llama.AddonContext(model, all);
  if (!(await context.init())) throw new Error("llama.cpp does not make a context");
  if (context.getThreads() !== threads) {
    throw new Error(`llama.cpp does not take ${threads} threads`);
  }
  const sampler = new llama.AddonSampler(model);
  sampler.applyConfig({ temperature: 0 });
  return { context, sampler, version: describeLlama(binaries), system: llama.systemInfo().trim() };
}

/** The likeliest token of an output. @throws Error where it is none of the vocabulary */
export async function likeliestToken(
  { context, sampler }: GreedyLlama,
  output: number,
): Promise<number> {
  const token = await context.sampleToken(output, sampler);
  if (!(token >= 0 && token < vocabularySize)) throw new Error(`llama.cpp chose token ${token}`);
  return token;
}
