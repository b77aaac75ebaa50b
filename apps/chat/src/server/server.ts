import { EventReader } from "./event-stream.ts";

/** A model that the server offers. */
export interface ServedModel {
  readonly name: string;
  readonly state: string;
  /** Bytes that it takes in memory; null while it is not loaded. */
  readonly bytes: number | null;
}

/** How an answer is drawn. */
export interface Sampling {
  readonly temperature: number;
  readonly topP: number;
  readonly topK: number;
  readonly minP: number;
  readonly maxTokens: number;
  /** Null: another one each time. */
  readonly seed: number | null;
}

/** One turn of a conversation as the server wants it. */
export interface Turn {
  readonly role: "system" | "user" | "assistant";
  readonly content: string;
}

/** What an answer cost. */
export interface Timings {
  readonly promptTokens: number;
  readonly cachedTokens: number;
  readonly promptPerSecond: number;
  readonly answerTokens: number;
  readonly answerPerSecond: number;
}

/** What happens while an answer is written. */
export type AnswerEvent =
  | { readonly type: "text"; readonly text: string }
  | { readonly type: "end"; readonly reason: string; readonly timings: Timings | null };

/** What the server said no to, in its own words. */
export class ServerError extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The server that this page came from. */
export class ChatServer {
  private readonly apiKey: string;

  constructor(apiKey: string) {
    this.apiKey = apiKey;
  }

  /** @throws ServerError, or TypeError where the server cannot be reached */
  async models(): Promise<readonly ServedModel[]> {
    const response = await this.ask("/props");
    const { models } = (await response.json()) as { models: readonly ServedModel[] };
    return models;
  }

  /** Answers a conversation, piece by piece. Errors as of `models`; AbortError when it is stopped. */
  async *answer(
    model: string,
    messages: readonly Turn[],
    sampling: Sampling,
    signal: AbortSignal,
  ): AsyncGenerator<AnswerEvent, void, void> {
    const response = await this.ask("/v1/chat/completions", {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ model, messages, ...fieldsOf(sampling), stream: true }),
      signal,
    });
    const reader = new EventReader();
    const decoder = new TextDecoder();
    let timings: Timings | null = null;
    let reason = "stop";
    for await (const bytes of piecesOf(response)) {
      for (const data of reader.push(decoder.decode(bytes, { stream: true }))) {
        if (data === "[DONE]") continue;
        const chunk = JSON.parse(data) as Chunk;
        if (chunk.error) throw new ServerError(response.status, chunk.error.message);
        const [choice] = chunk.choices ?? [];
        if (choice?.delta?.content) yield { type: "text", text: choice.delta.content };
        if (choice?.finish_reason) reason = choice.finish_reason;
        if (chunk.timings) timings = timingsOf(chunk.timings);
      }
    }
    yield { type: "end", reason, timings };
  }

  private async ask(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.apiKey !== "") headers.set("authorization", `Bearer ${this.apiKey}`);
    const response = await fetch(path, { ...init, headers });
    if (response.ok) return response;
    throw new ServerError(response.status, await messageOf(response));
  }
}

interface Chunk {
  readonly error?: { readonly message: string };
  readonly choices?: readonly {
    readonly delta?: { readonly content?: string | null };
    readonly finish_reason?: string | null;
  }[];
  readonly timings?: Readonly<Record<string, number>>;
}

function fieldsOf({ temperature, topP, topK, minP, maxTokens, seed }: Sampling): object {
  return {
    temperature,
    top_p: topP,
    ...(topK > 0 && { top_k: topK }),
    ...(minP > 0 && { min_p: minP }),
    ...(maxTokens > 0 && { max_tokens: maxTokens }),
    ...(seed !== null && { seed }),
  };
}

function timingsOf(stated: Readonly<Record<string, number>>): Timings {
  return {
    promptTokens: stated["prompt_n"] ?? 0,
    cachedTokens: stated["cache_n"] ?? 0,
    promptPerSecond: stated["prompt_per_second"] ?? 0,
    answerTokens: stated["predicted_n"] ?? 0,
    answerPerSecond: stated["predicted_per_second"] ?? 0,
  };
}

async function* piecesOf({ body }: Response): AsyncGenerator<Uint8Array, void, void> {
  const reader = body?.getReader();
  if (!reader) return;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

async function messageOf(response: Response): Promise<string> {
  try {
    const { error } = (await response.json()) as { error?: { message?: string } };
    return error?.message ?? response.statusText;
  } catch {
    return response.statusText;
  }
}
