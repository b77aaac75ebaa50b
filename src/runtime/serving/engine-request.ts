import type { FinishReason } from "../generated-text.ts";
import type { SamplingOptions } from "../sampling.ts";

/** How a request's tokens are chosen, besides what `generate` offers. */
export interface RequestSampling extends SamplingOptions {
  /** Added to logits of tokens, by id, before anything else; −100 or less as good as forbids one. */
  readonly logitBias?: ReadonlyMap<number, number>;
  /** Taken from a token's logit for each time it was generated; default 0. */
  readonly frequencyPenalty?: number;
  /** Taken from the logit of a token that was generated at least once; default 0. */
  readonly presencePenalty?: number;
}

/** What tokens may come next, such as those of a grammar. One belongs to one request. */
export interface TokenConstraint {
  /** A bit for each token of the vocabulary, the lowest of word 0 for token 0; 1: it may come next. */
  mask(): Uint32Array | Int32Array;
  /** Takes the token that was chosen. */
  accept(token: number): void;
  /** Whether nothing but the end of the text may follow: the generation stops here. */
  isFinished(): boolean;
}

/** What is to be generated. */
export interface EngineRequest {
  /** Ids, taken as they are; at least one. */
  readonly prompt: readonly number[];
  /** Most tokens to generate; 0 reads the prompt only, for `echoLogprobs`. */
  readonly maxTokens: number;
  readonly sampling?: RequestSampling;
  /** Seed of the draws; without one the engine draws it. */
  readonly seed?: number;
  /** Texts that end the generation; they are not given out. */
  readonly stop?: readonly string[];
  /** Continue after tokens that end a text. */
  readonly ignoreEos?: boolean;
  /** How many of the most likely tokens to name with each token; 0: its own log-probability only. */
  readonly logprobs?: number;
  /** Log-probabilities of the prompt's tokens, too, in `EngineFinish.promptLogprobs`. */
  readonly echoLogprobs?: boolean;
  readonly constraint?: TokenConstraint;
  readonly signal?: AbortSignal | undefined;
}

/** A token with its log-probability (natural logarithm) in the model's own distribution. */
export interface TokenLogprob {
  readonly token: number;
  readonly logprob: number;
}

/** How likely a token was, and which were the most likely ones, in that order. */
export interface TokenLogprobs extends TokenLogprob {
  readonly top: readonly TokenLogprob[];
}

/** A token that was generated. */
export interface EngineToken {
  readonly token: number;
  /** Text that became certain with it; empty while a character or a stop string is incomplete. */
  readonly text: string;
  /** Before penalties, biases and temperature; there if the request asked for it. */
  readonly logprobs?: TokenLogprobs;
}

/** What a request was given and what it took. */
export interface EngineUsage {
  readonly promptTokens: number;
  /** Tokens of the prompt whose keys and values were there already. */
  readonly cachedTokens: number;
  readonly generatedTokens: number;
  /** Tokens that were guessed beforehand, and those of them that came true. */
  readonly draftedTokens: number;
  readonly acceptedTokens: number;
}

/** When what was done. */
export interface EngineTimings {
  /** Until the first pass that read something of the prompt. */
  readonly queuedMs: number;
  /** From there until the first token. */
  readonly prefillMs: number;
  /** From the first token to the last. */
  readonly decodeMs: number;
  readonly prefillTokensPerSecond: number;
  readonly decodeTokensPerSecond: number;
}

/** How a request ended. */
export interface EngineFinish {
  readonly finishReason: FinishReason;
  readonly usage: EngineUsage;
  readonly timings: EngineTimings;
  /** One for each token of the prompt, null for the first; there with `echoLogprobs`. */
  readonly promptLogprobs?: readonly (TokenLogprobs | null)[];
}

/** The tokens of a request as they come; the return value says how it ended. */
export interface EngineTokens extends AsyncGenerator<EngineToken, EngineFinish, void> {
  /**
   * Resolves when the first pass is about to read something of the prompt; rejects with what ended
   * the request before: QueueTimeoutError, CancelledError, EngineClosedError.
   */
  readonly begun: Promise<void>;
}
