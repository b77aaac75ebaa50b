import { type Decode, StopStrings, TextStream } from "./text-stream.ts";

/** Why a generation ended: a token that ends texts, a stop string, or enough tokens. */
export type FinishReason = "eos" | "stop" | "length";

/** Where a generation begins and what ends it. */
export interface GeneratedTextOptions {
  readonly decode: Decode;
  readonly prompt: readonly number[];
  /** Texts that end the generation. */
  readonly stop: readonly string[];
  /** Tokens that end the generation. */
  readonly eosIds: readonly number[];
  readonly maxTokens: number;
}

/** Tokens of the prompt that the first new token is decoded after. */
const decodeContext = 8;

/** Follows a generation: which text is certain after each token, and whether it has ended. */
export class GeneratedText {
  private readonly stream: TextStream;
  private readonly stops: StopStrings;
  private readonly eosIds: ReadonlySet<number>;
  private readonly maxTokens: number;
  private count = 0;

  constructor(options: GeneratedTextOptions) {
    this.stream = new TextStream(options.decode, options.prompt.slice(-decodeContext));
    this.stops = new StopStrings(options.stop);
    this.eosIds = new Set(options.eosIds);
    this.maxTokens = options.maxTokens;
  }

  /** Takes a token; returns the text that is certain now: all of it at the end. */
  push(token: number): { readonly text: string; readonly finishReason: FinishReason | null } {
    this.count++;
    if (this.eosIds.has(token)) return this.finish("", "eos");
    const { text, stopped } = this.stops.push(this.stream.push(token));
    if (stopped) return { text, finishReason: "stop" };
    if (this.count < this.maxTokens) return { text, finishReason: null };
    return this.finish(text, "length");
  }

  private finish(text: string, reason: FinishReason): { text: string; finishReason: FinishReason } {
    const last = this.stops.push(this.stream.flush());
    if (last.stopped) return { text: text + last.text, finishReason: "stop" };
    return { text: text + last.text + this.stops.flush(), finishReason: reason };
  }
}
