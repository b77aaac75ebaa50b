import type { Timings } from "../server/server.ts";
import type { Answer, Conversation, Exchange } from "./conversation.ts";

/** Writes conversations as the file that `readExported` reads. */
export function writeExported(conversations: readonly Conversation[]): string {
  return `${JSON.stringify({ format: "fewbit-chat", version: 1, conversations }, null, 2)}\n`;
}

/**
 * Reads a file of conversations. Only what a conversation has is taken over.
 * @throws Error that says what is wrong
 */
export function readExported(text: string): Conversation[] {
  const file = parse(text);
  const { format, conversations } = recordOf(file, "the file");
  if (format !== "fewbit-chat" || !Array.isArray(conversations)) {
    throw new Error("this is no file of conversations from this page");
  }
  return conversations.map((each, i) => readConversation(each, `conversation ${i + 1}`));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new Error("this is no JSON file");
  }
}

function readConversation(value: unknown, where: string): Conversation {
  const record = recordOf(value, where);
  const exchanges = listOf(record["exchanges"], where);
  return {
    id: textOf(record["id"], where),
    title: textOf(record["title"], where),
    createdAt: typeof record["createdAt"] === "number" ? record["createdAt"] : 0,
    system: textOf(record["system"], where),
    exchanges: exchanges.map((each) => readExchange(each, where)),
  };
}

function readExchange(value: unknown, where: string): Exchange {
  const { id, question, answers } = recordOf(value, where);
  return {
    id: textOf(id, where),
    question: textOf(question, where),
    answers: listOf(answers, where).map((each) => readAnswer(each, where)),
  };
}

function readAnswer(value: unknown, where: string): Answer {
  const { model, text, error, state, firstMs, pieces, lastMs, timings, reason } = recordOf(
    value,
    where,
  );
  const failed = typeof error === "string";
  const stopped = state === "stopped" || state === "writing";
  return {
    model: textOf(model, where),
    text: textOf(text, where),
    state: failed ? "failed" : stopped ? "stopped" : "done",
    error: failed ? error : null,
    firstMs: typeof firstMs === "number" ? firstMs : null,
    pieces: numberOf(pieces),
    lastMs: numberOf(lastMs),
    timings: timings == null ? null : readTimings(recordOf(timings, where)),
    reason: typeof reason === "string" ? reason : null,
  };
}

function readTimings(record: Record<string, unknown>): Timings {
  return {
    promptTokens: numberOf(record["promptTokens"]),
    cachedTokens: numberOf(record["cachedTokens"]),
    promptPerSecond: numberOf(record["promptPerSecond"]),
    answerTokens: numberOf(record["answerTokens"]),
    answerPerSecond: numberOf(record["answerPerSecond"]),
  };
}

function numberOf(value: unknown): number {
  return typeof value === "number" ? value : 0;
}

function recordOf(value: unknown, where: string): Record<string, unknown> {
  if (typeof value === "object" && value !== null && !Array.isArray(value)) {
    return value as Record<string, unknown>;
  }
  throw new Error(`${where} is not as this page writes it`);
}

function listOf(value: unknown, where: string): unknown[] {
  if (Array.isArray(value)) return value;
  throw new Error(`${where} is not as this page writes it`);
}

function textOf(value: unknown, where: string): string {
  if (typeof value === "string") return value;
  throw new Error(`${where} is not as this page writes it`);
}
