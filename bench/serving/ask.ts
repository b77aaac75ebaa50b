/* One request as a program sends it, and what came of it. */

/** What is asked: a text or token ids, and how the answer is read. */
export interface Question {
  readonly prompt: string | readonly number[];
  readonly tokens: number;
  /** Whether the answer comes in pieces. */
  readonly stream: boolean;
  /** Goes away after so many pieces. */
  readonly cutAfter?: number;
  /** Waits so long after each of the first pieces, and reads nothing meanwhile. */
  readonly pauseMs?: number;
}

export interface Answer {
  /** Null where the answer was cut by the one who asked. */
  readonly status: number | null;
  readonly text: string;
  /** When the first piece of text was there; null for answers that come whole. */
  readonly firstMs: number | null;
  /** What the server says of its own times. */
  readonly queuedMs: number | null;
  readonly promptMs: number | null;
  /** Of a refusal. */
  readonly code: string | null;
  readonly retryAfterSeconds: number | null;
}

interface Piece {
  readonly choices: readonly { readonly text: string }[];
  readonly timings?: { readonly queued_ms: number; readonly prompt_ms: number };
  readonly error?: { readonly message: string; readonly code: string };
}

const nothing: Answer = {
  status: null,
  text: "",
  firstMs: null,
  queuedMs: null,
  promptMs: null,
  code: null,
  retryAfterSeconds: null,
};
const pauses = 8;

const wait = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** @throws where the connection breaks, or the answer is none that can be read */
export async function ask(url: string, question: Question): Promise<Answer> {
  const { prompt, tokens, stream } = question;
  const startMs = performance.now();
  const controller = new AbortController();
  const response = await fetch(`${url}/v1/completions`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ prompt, temperature: 0, max_tokens: tokens, stream }),
    signal: controller.signal,
  });
  if (response.status !== 200) return refusal(response);
  if (!stream) return { ...nothing, ...readPieces([await response.text()]), status: 200 };
  const body: string[] = [];
  let firstMs: number | null = null;
  for await (const text of piecesOf(response)) {
    if (text.includes('"text"')) firstMs ??= performance.now() - startMs;
    body.push(text);
    if (body.length === question.cutAfter) {
      controller.abort();
      return nothing;
    }
    if (question.pauseMs !== undefined && body.length <= pauses) await wait(question.pauseMs);
  }
  const events = body
    .join("")
    .split("\n\n")
    .filter((event) => event.startsWith("data: {"));
  const data = events.map((event) => event.slice("data: ".length));
  return { ...nothing, ...readPieces(data), status: 200, firstMs };
}

async function refusal(response: Response): Promise<Answer> {
  const { error } = (await response.json()) as Piece;
  const after = Number(response.headers.get("retry-after"));
  return {
    ...nothing,
    status: response.status,
    code: error?.code ?? null,
    retryAfterSeconds: after > 0 ? after : null,
  };
}

/** @throws for an error that came midway */
function readPieces(texts: readonly string[]): Pick<Answer, "text" | "queuedMs" | "promptMs"> {
  const pieces = texts.map((text) => JSON.parse(text) as Piece);
  const broken = pieces.find(({ error }) => error)?.error;
  if (broken) throw new Error(`${broken.code}: ${broken.message}`);
  const timings = pieces.findLast((piece) => piece.timings)?.timings;
  return {
    text: pieces.map(({ choices }) => choices[0]?.text ?? "").join(""),
    queuedMs: timings?.queued_ms ?? null,
    promptMs: timings?.prompt_ms ?? null,
  };
}

async function* piecesOf(response: Response): AsyncGenerator<string, void, void> {
  const decoder = new TextDecoder();
  const reader = response.body?.getReader();
  for (let next = await reader?.read(); next && !next.done; next = await reader?.read()) {
    yield decoder.decode(next.value, { stream: true });
  }
}
