import { isJsonRecord } from "../../util/json.ts";
import { cannotMeasure, type CompletionServer } from "./completion-server.ts";
import { NetworkError, UnsupportedError } from "../../util/errors.ts";

/** The likeliest tokens at a place, by their texts, in nats. */
export type TopTokens = ReadonlyMap<string, number>;

/** What a server says of a prompt; an entry each token, of which the first has none. */
export interface PromptScore {
  /** Log-likelihood of each token given those before it, in nats; NaN for the first. */
  readonly logLikelihoods: Float64Array;
  readonly tops: readonly (TopTokens | null)[];
}

/** In which form a server takes prompts: ids, or texts only. */
export type PromptForm = "ids" | "texts";

/** Asks servers how likely the tokens of prompts are. */
export class PromptScorer {
  readonly server: CompletionServer;
  private readonly top: number;
  private asked: PromptForm | null = null;

  /** `top`: how many of the likeliest tokens are asked for at each place. */
  constructor(server: CompletionServer, top: number) {
    this.server = server;
    this.top = top;
  }

  /** In which form prompts were sent; null before the first. */
  get form(): PromptForm | null {
    return this.asked;
  }

  /**
   * @throws UnsupportedError when the server says nothing of prompts, or cuts them into other tokens
   * @throws NetworkError
   */
  async score(ids: readonly number[]): Promise<PromptScore> {
    if (this.asked === "texts") return this.scoreText(ids);
    try {
      const score = await this.ask([...ids], ids.length);
      this.asked = "ids";
      return score;
    } catch (error) {
      // llama-cpp-python takes texts only, and says so before it does anything, as a fault of its own.
      const isRefused =
        error instanceof NetworkError && [400, 422, 500].includes(error.status ?? 0);
      if (this.asked !== null || !isRefused) throw error;
      const score = await this.scoreText(ids).catch((cause: unknown) => {
        throw cause instanceof UnsupportedError ? cause : error;
      });
      this.asked = "texts";
      return score;
    }
  }

  private async scoreText(ids: readonly number[]): Promise<PromptScore> {
    const { server } = this;
    const answer =
      (await server.postIfThere("/detokenize", { tokens: [...ids] })) ??
      (await server.postIfThere("/extras/detokenize", { tokens: [...ids] }));
    const text = answer?.["content"] ?? answer?.["prompt"] ?? answer?.["text"];
    if (typeof text !== "string") throw cannotMeasure(server, "it takes no token ids as prompts");
    return this.ask(text, ids.length);
  }

  private async ask(prompt: string | number[], count: number): Promise<PromptScore> {
    const { server, top } = this;
    const body = { prompt, max_tokens: 1, temperature: 0, echo: true, logprobs: top };
    const { choices } = await server.post("/v1/completions", body);
    const choice: unknown = Array.isArray(choices) ? choices[0] : null;
    const logprobs = isJsonRecord(choice) ? choice["logprobs"] : null;
    const likely = isJsonRecord(logprobs) ? logprobs["token_logprobs"] : null;
    if (!isJsonRecord(logprobs) || !Array.isArray(likely) || likely.length < count) {
      throw cannotMeasure(server, "it does not say how likely the tokens of a prompt are");
    }
    // One token more is generated; what else is there stands in front: a start token.
    const extra = likely.length - count;
    // llama-cpp-python gives each token what belongs to the one behind it, with a start token and without.
    if (typeof prompt === "string" && extra < 1) {
      throw cannotMeasure(server, "what it says of a prompt ends too early: tokens are one off");
    }
    const front = extra > 1 || typeof prompt === "string" ? Math.max(0, extra - 1) : 0;
    if (front > 1) throw cannotMeasure(server, "it cuts prompts into other tokens than it says");
    const all: unknown = logprobs["top_logprobs"];
    const tops = Array.isArray(all) ? all.slice(front, front + count) : [];
    return {
      logLikelihoods: Float64Array.from(likely.slice(front, front + count), (value: unknown) =>
        typeof value === "number" ? value : Number.NaN,
      ),
      tops: Array.from({ length: count }, (_, i) => readTop(tops[i])),
    };
  }
}

function readTop(value: unknown): TopTokens | null {
  if (!isJsonRecord(value)) return null;
  const entries = Object.entries(value).filter(([, x]) => typeof x === "number");
  return new Map(entries as [string, number][]);
}
