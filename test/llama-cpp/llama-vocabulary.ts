import { findLlamaAddon, type LlamaModel, openLlama } from "./llama-addon.ts";

/** The tokenizer of a GGUF file in llama.cpp itself; the file needs no weights. */
export class LlamaVocabulary {
  readonly #model: LlamaModel;

  private constructor(model: LlamaModel) {
    this.#model = model;
  }

  /**
   * Loads the tokenizer of a file.
   *
   * @throws Error when llama.cpp refuses it; its reasons stand on standard error
   */
  static async open(path: string): Promise<LlamaVocabulary> {
    const binaries = findLlamaAddon();
    if (!binaries) throw new Error("llama.cpp is not installed for this machine");
    const llama = await openLlama(binaries);
    const options = { addonExports: llama, gpuLayers: 0, vocabOnly: true };
    const model = new llama.AddonModel(path, options);
    if (!(await model.init())) throw new Error(`llama.cpp does not load ${path}`);
    return new LlamaVocabulary(model);
  }

  /** Ids of a text alone; `special` lets it contain special tokens. */
  encode(text: string, options: { special?: boolean } = {}): number[] {
    return [...this.#model.tokenize(text.toWellFormed(), options.special ?? true)];
  }

  /** Text of ids, with special tokens spelled out. */
  decode(ids: readonly number[]): string {
    return this.#model.detokenize(Uint32Array.from(ids), true);
  }

  /** Whether a text ends at a token. */
  ends(id: number): boolean {
    return this.#model.isEogToken(id);
  }

  /** The id in front of a text, where the file asks for one. */
  get startIds(): number[] {
    return this.#model.shouldPrependBosToken() ? [this.#model.tokenBos()] : [];
  }

  /** Frees the tokenizer. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.#model.dispose();
  }
}
