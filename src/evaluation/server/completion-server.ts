import { type HttpAnswer, monotonicMs, sendRequest, sleep } from "../../platform/node.ts";
import {
  type FewbitError,
  FormatError,
  NetworkError,
  UnsupportedError,
} from "../../util/errors.ts";
import { isJsonRecord, type JsonRecord, parseJson } from "../../util/json.ts";

/** Where a server is, and how it is asked. */
export interface ServerAddress {
  /** Its address, with or without `/v1`. */
  readonly url: string;
  /** Name of one of its models; default its first. */
  readonly model?: string | undefined;
  readonly apiKey?: string | undefined;
}

/** A request that the server has no room for is sent again for so long. */
const patienceMs = 120_000;
/** A long prompt is answered late, and not a byte comes before. */
const stallMs = 900_000;

/** A server that speaks OpenAI's interface, as far as measuring its model takes. */
export class CompletionServer {
  readonly model: string;
  private readonly base: string;
  private readonly apiKey: string | undefined;
  private readonly signal: AbortSignal | undefined;

  private constructor(
    base: string,
    { model, apiKey }: ServerAddress & { readonly model: string },
    signal: AbortSignal | undefined,
  ) {
    this.base = base;
    this.model = model;
    this.apiKey = apiKey;
    this.signal = signal;
  }

  /** Address with the model's name, for people. */
  get source(): string {
    return `${this.base}#${this.model}`;
  }

  /**
   * Asks a server which models it has.
   * @throws NetworkError when it cannot be reached, or does not answer as such servers do
   */
  static async open(address: ServerAddress, signal?: AbortSignal): Promise<CompletionServer> {
    const base = address.url.replace(/\/+$/, "").replace(/\/v1$/, "");
    const probe = new CompletionServer(base, { ...address, model: "" }, signal);
    if (address.model !== undefined) {
      return new CompletionServer(base, { ...address, model: address.model }, signal);
    }
    const { data } = await probe.get("/v1/models");
    const first: unknown = Array.isArray(data) ? data[0] : null;
    if (!isJsonRecord(first) || typeof first["id"] !== "string") {
      throw new FormatError(`${base} lists no models`, { hint: "name one: `model`" });
    }
    return new CompletionServer(base, { ...address, model: first["id"] }, signal);
  }

  /** @throws NetworkError FormatError */
  get(path: string): Promise<JsonRecord> {
    return this.ask(path);
  }

  /** @throws NetworkError FormatError */
  post(path: string, body: JsonRecord): Promise<JsonRecord> {
    return this.ask(path, JSON.stringify({ model: this.model, ...body }));
  }

  /** The same, and null where the server has no such path. */
  async postIfThere(path: string, body: JsonRecord): Promise<JsonRecord | null> {
    try {
      return await this.post(path, body);
    } catch (error) {
      if (error instanceof NetworkError && [404, 405].includes(error.status ?? 0)) return null;
      throw error;
    }
  }

  private async ask(path: string, body?: string): Promise<JsonRecord> {
    const startMs = monotonicMs();
    for (;;) {
      try {
        return await this.askOnce(path, body);
      } catch (error) {
        const again = error instanceof NetworkError && error.transient;
        if (!again || monotonicMs() - startMs > patienceMs) throw error;
        await sleep(error.retryAfterMs ?? 1000, this.signal);
      }
    }
  }

  private async askOnce(path: string, body: string | undefined): Promise<JsonRecord> {
    const answer = await sendRequest(this.base + path, {
      ...(body === undefined ? {} : { body }),
      headers: {
        ...(body === undefined ? {} : { "content-type": "application/json" }),
        ...(this.apiKey === undefined ? {} : { authorization: `Bearer ${this.apiKey}` }),
      },
      signal: this.signal,
      stallMs,
    });
    const text = await readText(answer);
    if (answer.status !== 200) throw this.refusal(path, answer, text);
    const value = parseJson(text, `the answer of ${this.base}${path}`);
    if (isJsonRecord(value)) return value;
    throw new FormatError(`${this.base}${path} answers something else than was asked for`);
  }

  private refusal(path: string, answer: HttpAnswer, text: string): FewbitError {
    const { status } = answer;
    const retryAfter = Number(answer.header("retry-after"));
    return new NetworkError(`${this.base}${path} answers ${status}: ${messageIn(text)}`, {
      status,
      transient: status === 429 || status === 503,
      retryAfterMs: retryAfter > 0 ? retryAfter * 1000 : null,
      ...(status === 401 || status === 403 ? { hint: "give the server's key: `apiKey`" } : {}),
    });
  }
}

async function readText(answer: HttpAnswer): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const bytes of answer.body()) text += decoder.decode(bytes, { stream: true });
  return text + decoder.decode();
}

/** What an error's body says, in the forms that servers have. */
function messageIn(text: string): string {
  try {
    const value = parseJson(text, "the error") as JsonRecord;
    const error = value["error"] ?? value["detail"] ?? value["message"];
    const message = isJsonRecord(error) ? error["message"] : error;
    return (typeof message === "string" ? message : JSON.stringify(error)).slice(0, 500);
  } catch {
    return text.slice(0, 200).replace(/\s+/g, " ");
  }
}

/** Refuses a server that does not do what measuring takes. */
export function cannotMeasure(server: CompletionServer, why: string): UnsupportedError {
  return new UnsupportedError(`${server.source} cannot be measured: ${why}`, {
    hint: "take a server whose /v1/completions knows `echo` with `logprobs`, such as fewbit serve",
  });
}
