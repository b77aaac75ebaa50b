import type { TokenLogprob, TokenLogprobs } from "../../runtime/serving/engine-request.ts";
import { tokenBytes } from "../../tokenizers/token-spelling.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";

const decoder = new TextDecoder();

/** Says how likely a token was, as chats have it. */
export function chatLogprob(tokenizer: Tokenizer, { top, ...own }: TokenLogprobs): object {
  const entry = ({ token, logprob }: TokenLogprob): object => {
    const bytes = tokenBytes(tokenizer, token);
    return { token: decoder.decode(bytes), logprob: finite(logprob), bytes: [...bytes] };
  };
  return { ...entry(own), top_logprobs: top.map(entry) };
}

/** JSON has no −∞. */
const finite = (logprob: number): number => Math.max(logprob, -9999);

/** How likely the tokens of a text were, as completions have it. */
export class CompletionLogprobs {
  private readonly tokenizer: Tokenizer;
  private readonly named: number;
  /** Characters in front of the next token. */
  private offset: number;

  /** `named`: how many of the most likely tokens are named; `offset`: where the first token begins. */
  constructor(tokenizer: Tokenizer, named: number, offset: number = 0) {
    this.tokenizer = tokenizer;
    this.named = named;
    this.offset = offset;
  }

  /**
   * Takes the next tokens, of which the first of a text has no likelihood, and the first `hidden`
   * are not to be seen.
   */
  take(tokens: readonly (TokenLogprobs | { readonly token: number })[], hidden = 0): object {
    const texts = tokens.map(({ token }) => this.text(token));
    const known = tokens.map((each) => ("logprob" in each ? each : null));
    return {
      tokens: texts,
      token_logprobs: known.map((each) => (each ? finite(each.logprob) : null)),
      top_logprobs:
        this.named === 0 ? null : known.map((each) => (each ? this.likeliest(each) : null)),
      text_offset: texts.map((text, i) => {
        const at = this.offset;
        if (i >= hidden) this.offset += text.length;
        return at;
      }),
    };
  }

  /** By text; of two tokens of one text the likelier one is named. */
  private likeliest({ top, token, logprob }: TokenLogprobs): object {
    const entries = new Map<string, number>();
    for (const each of [...top, { token, logprob }]) {
      const text = this.text(each.token);
      if (!entries.has(text)) entries.set(text, finite(each.logprob));
    }
    return Object.fromEntries(entries);
  }

  /** Bytes that are no whole characters are written as OpenAI's old interface does. */
  private text(token: number): string {
    const bytes = tokenBytes(this.tokenizer, token);
    const text = decoder.decode(bytes);
    if (!text.includes("\ufffd")) return text;
    return `bytes:${[...bytes].map((byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}
