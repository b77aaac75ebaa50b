import { logProbability } from "./compare-logits.ts";
import {
  findLlamaAddon,
  type LlamaAddon,
  type LlamaContext,
  type LlamaModel,
  type LlamaSampler,
  openLlama,
} from "./llama-addon.ts";

/** How llama.cpp runs a model. */
export interface LlamaOptions {
  /** The most tokens of a text; a multiple of 256 takes no more memory than it says. */
  readonly contextSize?: number;
  readonly threads?: number;
  /**
   * Keys and values in 32 bits instead of llama.cpp's 16, and attention without its fused kernel,
   * so that only its linear layers round.
   */
  readonly exactAttention?: boolean;
}

let addon: Promise<LlamaAddon> | undefined;

function theAddon(): Promise<LlamaAddon> {
  const binaries = findLlamaAddon();
  if (!binaries) throw new Error("llama.cpp is not installed for this machine");
  return (addon ??= openLlama(binaries));
}

/** A GGUF model in llama.cpp itself: the runtime that fewbit's files and results are held to. */
export class LlamaCpp {
  readonly #model: LlamaModel;
  readonly #context: LlamaContext;
  readonly #sampler: LlamaSampler;

  private constructor(model: LlamaModel, context: LlamaContext, sampler: LlamaSampler) {
    this.#model = model;
    this.#context = context;
    this.#sampler = sampler;
  }

  /**
   * Loads a file.
   *
   * @throws Error when llama.cpp refuses it; its reasons stand on standard error
   */
  static async open(path: string, options: LlamaOptions = {}): Promise<LlamaCpp> {
    const llama = await theAddon();
    const { contextSize = 512, threads = 1, exactAttention = false } = options;
    const model = new llama.AddonModel(path, { addonExports: llama, gpuLayers: 0, useMmap: true });
    if (!(await model.init())) throw new Error(`llama.cpp does not load ${path}`);
    const float32 = 0;
    const context = new llama.AddonContext(model, {
      contextSize,
      batchSize: contextSize,
      sequences: 1,
      threads,
      flashAttention: exactAttention ? false : "auto",
      ...(exactAttention ? { kvCacheKeyType: float32, kvCacheValueType: float32 } : {}),
    });
    if (!(await context.init())) throw new Error("llama.cpp does not make a context");
    const sampler = new llama.AddonSampler(model);
    sampler.applyConfig({ temperature: 0 });
    return new LlamaCpp(model, context, sampler);
  }

  /** Ids of a text as a prompt: with BOS and EOS where the file asks for them. */
  encode(text: string, options: { special?: boolean } = {}): number[] {
    const begin = this.#model.shouldPrependBosToken() ? [this.#model.tokenBos()] : [];
    const ids = this.tokenize(text, options);
    // No model of the tests asks for an EOS behind a text; one that did would need its id here.
    if (this.#model.shouldAppendEosToken()) throw new Error("the file asks for an EOS");
    return [...begin, ...ids];
  }

  /** Ids of a text alone; `special` lets it contain special tokens. */
  tokenize(text: string, options: { special?: boolean } = {}): number[] {
    return [...this.#model.tokenize(text, options.special ?? false)];
  }

  /** Text of ids, with special tokens spelled out. */
  decode(ids: readonly number[]): string {
    return this.#model.detokenize(Uint32Array.from(ids), true);
  }

  /** Whether a text ends at a token. */
  ends(id: number): boolean {
    return this.#model.isEogToken(id);
  }

  /** What llama.cpp calls the model, such as `llama ?B Q4_1`. */
  get description(): string {
    return this.#model.getModelDescription();
  }

  /** Logits `[vocabulary]` at each position of a text from `from` on. */
  async logits(ids: readonly number[], from = 0): Promise<Float32Array[]> {
    const outputs = await this.#evaluate(ids, from);
    const rows: Float32Array[] = [];
    for (const output of outputs) {
      const [, , , pairs = []] = await this.#context.sampleToken(
        output,
        this.#sampler,
        false,
        false,
        true,
      );
      const row = new Float32Array(pairs.length / 2);
      for (let i = 0; i < pairs.length; i += 2) row[pairs[i]] = pairs[i + 1];
      rows.push(row);
    }
    return rows;
  }

  /** Log-probabilities of the tokens `ids[from + 1 …]`, each behind those before it. */
  async logProbabilities(ids: readonly number[], from = 0): Promise<number[]> {
    const rows = await this.logits(ids.slice(0, -1), from);
    return rows.map((row, i) => logProbability(row, ids[from + i + 1]));
  }

  /** The likeliest tokens behind a prompt, up to `count` or the end of the text. */
  async greedy(prompt: readonly number[], count: number): Promise<number[]> {
    const chosen: number[] = [];
    let position = prompt.length;
    let [output] = await this.#evaluate(prompt, prompt.length - 1);
    while (chosen.length < count) {
      const token = await this.#context.sampleToken(output, this.#sampler);
      chosen.push(token);
      if (this.ends(token)) break;
      [output] = await this.#append([token], position++, [0]);
    }
    return chosen;
  }

  /**
   * Perplexity by the rule of llama.cpp's own program: the text in chunks that do not overlap, the
   * first token of each replaced by BOS where the file asks for one, scored on the second half.
   */
  async perplexity(text: string, options: { chunk?: number; chunks: number }): Promise<number> {
    const { chunk = 512, chunks } = options;
    const all = this.encode(text);
    let sum = 0;
    let count = 0;
    for (let i = 0; i < chunks; i++) {
      const ids = all.slice(i * chunk, (i + 1) * chunk);
      if (ids.length < chunk) throw new Error(`the text has only ${i} chunks of ${chunk} tokens`);
      if (this.#model.shouldPrependBosToken()) ids[0] = this.#model.tokenBos();
      for (const value of await this.logProbabilities(ids, chunk / 2)) sum -= value;
      count += chunk / 2 - 1;
    }
    return Math.exp(sum / count);
  }

  /** Frees the model. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#context.dispose();
    await this.#model.dispose();
  }

  /** Reads a text anew; returns the outputs of its positions from `from` on. */
  async #evaluate(ids: readonly number[], from: number): Promise<number[]> {
    this.#context.disposeSequence(0);
    const wanted = Array.from({ length: ids.length - from }, (_, i) => from + i);
    return this.#append(ids, 0, wanted);
  }

  async #append(
    ids: readonly number[],
    position: number,
    wanted: readonly number[],
  ): Promise<number[]> {
    this.#context.initBatch(ids.length);
    const tokens = Uint32Array.from(ids);
    const outputs = this.#context.addToBatch(0, position, tokens, Uint32Array.from(wanted));
    await this.#context.decodeBatch();
    return [...outputs];
  }
}
