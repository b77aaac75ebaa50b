import type {
  EngineFinish,
  EngineToken,
  TokenLogprobs,
} from "../../runtime/serving/engine-request.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { Prompt } from "../generation/read-prompts.ts";
import { finishReason } from "./finish-reason.ts";
import { CompletionLogprobs } from "./logprobs.ts";

/** What is asked of the texts of a completion. */
export interface CompletionForm {
  /** The prompt stands in front. */
  readonly echo: boolean;
  /** How many likely tokens are named; null for no likelihoods at all. */
  readonly logprobs: number | null;
}

/** What is new of a text. */
export interface CompletionDelta {
  readonly text: string;
  readonly logprobs: object | null;
}

/** One text of a completion as it comes. */
export class CompletionChoice {
  private readonly prompt: Prompt;
  private readonly echo: boolean;
  private readonly logprobs: CompletionLogprobs | null;
  private readonly tokens: (TokenLogprobs | { readonly token: number })[] = [];
  private text = "";

  constructor(tokenizer: Tokenizer, prompt: Prompt, { echo, logprobs }: CompletionForm) {
    this.prompt = prompt;
    this.echo = echo;
    const offset = echo ? 0 : prompt.text.length;
    this.logprobs = logprobs === null ? null : new CompletionLogprobs(tokenizer, logprobs, offset);
  }

  /** What stands in front of the first token; null for nothing. */
  opening(): CompletionDelta | null {
    return this.echo ? { text: this.prompt.text, logprobs: null } : null;
  }

  /** Takes a token, for `whole`. */
  push({ token, text, logprobs }: EngineToken): void {
    this.text += text;
    if (this.logprobs) this.tokens.push(logprobs ?? { token });
  }

  /** Says what is new with a token, for answers in pieces; null where nothing is. */
  delta({ token, text, logprobs }: EngineToken): CompletionDelta | null {
    if (!this.logprobs) return text === "" ? null : { text, logprobs: null };
    return { text, logprobs: this.logprobs.take([logprobs ?? { token }]) };
  }

  /** The whole text. */
  whole({ finishReason: reason, promptLogprobs }: EngineFinish): object {
    const { ids, text, hidden } = this.prompt;
    const before = this.echo ? ids.map((token, i) => promptLogprobs?.[i] ?? { token }) : [];
    return {
      text: this.echo ? text + this.text : this.text,
      logprobs: this.logprobs?.take([...before, ...this.tokens], this.echo ? hidden : 0) ?? null,
      finish_reason: finishReason(reason),
    };
  }
}
