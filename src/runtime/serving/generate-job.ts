import { monotonicMs } from "../../platform/node.ts";
import { Prng } from "../../util/prng.ts";
import { type FinishReason, GeneratedText } from "../generated-text.ts";
import type { LanguageModel } from "../language-model.ts";
import { adjustLogits, chooseToken, logprobsOf } from "./choose-token.ts";
import type {
  EngineFinish,
  EngineRequest,
  EngineTimings,
  TokenLogprobs,
} from "./engine-request.ts";
import { Job } from "./job.ts";
import type { PagedText } from "./paged-text.ts";
import type { TextResults, TextRows } from "./run-rows.ts";
import { TokenStream } from "./token-stream.ts";

/** Most rows of logits that a pass gives to one request. */
const mostLogits = 64;

/** A request for tokens. */
export class GenerateJob extends Job {
  readonly stream: TokenStream;
  /** Tokens that are guessed at once: as many as came true of late, and one more. */
  guessLength: number;
  private readonly request: EngineRequest;
  private readonly output: GeneratedText;
  private readonly prng: Prng;
  private readonly all: Set<number>;
  private readonly generated = new Map<number, number>();
  private readonly promptLogprobs: (TokenLogprobs | null)[] = [null];
  private readonly mostGuesses: number;
  private finishReason: FinishReason | null = null;
  private count = 0;
  private cached: number | null = null;
  private drafted = 0;
  private accepted = 0;
  private firstMs: number | null = null;
  private lastMs: number | null = null;

  constructor(
    { tokenizer }: LanguageModel,
    request: EngineRequest,
    text: PagedText,
    { seed, mostGuesses }: { readonly seed: number; readonly mostGuesses: number },
  ) {
    super(text, request.signal);
    const { prompt, maxTokens, stop = [] } = request;
    this.request = request;
    this.stream = new TokenStream(() => {
      this.abandoned = true;
    });
    this.output = new GeneratedText({
      decode: (ids) => tokenizer.decode(ids, { skipSpecial: true }),
      prompt,
      stop,
      eosIds: request.ignoreEos ? [] : tokenizer.eosIds,
      maxTokens,
    });
    this.prng = new Prng(seed);
    this.all = new Set(prompt);
    this.mostGuesses = mostGuesses;
    this.guessLength = mostGuesses;
  }

  get mayReuse(): boolean {
    return !this.request.echoLogprobs;
  }

  get isDone(): boolean {
    return this.finishReason !== null;
  }

  get longestChunk(): number {
    return this.request.echoLogprobs ? mostLogits : Infinity;
  }

  get roomForGuesses(): number {
    return Math.min(this.guessLength, this.request.maxTokens - this.count - 1);
  }

  begin(cached: number): void {
    this.cached = cached;
    this.stream.begin();
  }

  rows(count: number, guesses: readonly number[]): TextRows {
    const { text, request } = this;
    const readsPrompt = text.computed < request.prompt.length;
    const echoes = (request.echoLogprobs ?? false) && readsPrompt;
    const all = count + guesses.length;
    // Without new tokens, only what comes behind the prompt's own tokens is wanted.
    const from = echoes ? 0 : text.pending === count && request.maxTokens > 0 ? count - 1 : all;
    const logits = Array.from({ length: all - from }, (_, i) => from + i);
    return { text, count, guesses, logits };
  }

  take({ count, guesses = [] }: TextRows, { logits }: TextResults): number {
    const { text, request } = this;
    const { prompt } = request;
    const from = text.computed;
    const isLast = text.pending === count;
    if (request.echoLogprobs && from < prompt.length) {
      for (let at = from + 1; at <= from + count && at < prompt.length; at++) {
        const known = logprobsOf(logits[at - from - 1], prompt[at], request.logprobs ?? 0);
        this.promptLogprobs[at] = known;
      }
    }
    text.advance(count);
    if (!isLast) return 0;
    this.firstMs ??= monotonicMs();
    if (request.maxTokens === 0) {
      this.finishReason = "length";
      return 0;
    }
    return this.chooseTokens(guesses, logits.slice(logits.length - guesses.length - 1));
  }

  finish(): void {
    const { request, count, drafted, accepted } = this;
    const { promptLogprobs } = this;
    const finish: EngineFinish = {
      finishReason: this.finishReason ?? "length",
      usage: {
        promptTokens: request.prompt.length,
        cachedTokens: this.cached ?? 0,
        generatedTokens: count,
        draftedTokens: drafted,
        acceptedTokens: accepted,
      },
      timings: this.timings(),
      ...(request.echoLogprobs && { promptLogprobs }),
    };
    this.stream.finish(finish);
  }

  fail(error: Error): void {
    this.stream.fail(error);
  }

  /**
   * Chooses the token behind each row, as long as the guesses that the next row read came true: what
   * is chosen is what would be chosen without them.
   */
  private chooseTokens(guesses: readonly number[], rows: readonly Float32Array[]): number {
    let right = 0;
    let fresh = 0;
    for (const [i, logits] of rows.entries()) {
      const token = this.chooseNext(logits);
      fresh++;
      if (this.isDone) break;
      this.text.ids.push(token);
      if (token !== guesses[i]) break;
      right++;
    }
    this.text.advance(right);
    this.drafted += guesses.length;
    this.accepted += right;
    if (guesses.length > 0) this.guessLength = Math.min(this.mostGuesses, right + 1);
    return fresh;
  }

  private chooseNext(logits: Float32Array): number {
    const { sampling = {}, constraint, logprobs } = this.request;
    const seen = { all: this.all, generated: this.generated };
    const token = chooseToken(
      adjustLogits(logits, sampling, seen, constraint),
      sampling,
      this.prng,
    );
    this.count++;
    this.all.add(token);
    this.generated.set(token, (this.generated.get(token) ?? 0) + 1);
    constraint?.accept(token);
    const { text, finishReason } = this.output.push(token);
    this.finishReason = finishReason;
    if (finishReason === null && constraint?.isFinished()) this.finishReason = "eos";
    this.lastMs = monotonicMs();
    const known = logprobs === undefined ? {} : { logprobs: logprobsOf(logits, token, logprobs) };
    this.stream.push({ token, text, ...known });
    return token;
  }

  private timings(): EngineTimings {
    const { startedMs, firstMs, lastMs, submittedMs } = this;
    const start = startedMs ?? submittedMs;
    const first = firstMs ?? start;
    const [prefillMs, decodeMs] = [first - start, (lastMs ?? first) - first];
    const read = this.request.prompt.length - (this.cached ?? 0);
    return {
      queuedMs: start - submittedMs,
      prefillMs,
      decodeMs,
      prefillTokensPerSecond: prefillMs > 0 ? (1000 * read) / prefillMs : 0,
      decodeTokensPerSecond: decodeMs > 0 ? (1000 * (this.count - 1)) / decodeMs : 0,
    };
  }
}
