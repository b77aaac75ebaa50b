import type { Timings } from "../server/server.ts";

/** What one model has answered, or is answering, to a message. */
export interface Answer {
  readonly model: string;
  readonly text: string;
  readonly state: "writing" | "done" | "stopped" | "failed";
  /** What went wrong; null while nothing did. */
  readonly error: string | null;
  /** Milliseconds from the question to the first piece of text; null before it. */
  readonly firstMs: number | null;
  /** Pieces of text that came, mostly a token each, and when the last one did. */
  readonly pieces: number;
  readonly lastMs: number;
  readonly timings: Timings | null;
  /** Why it ended, as the server says it: `length` when it was cut. */
  readonly reason: string | null;
}

/** A message of the user with the answers to it, one for each model that was asked. */
export interface Exchange {
  readonly id: string;
  readonly question: string;
  readonly answers: readonly Answer[];
}

/** A conversation. */
export interface Conversation {
  readonly id: string;
  readonly title: string;
  readonly createdAt: number;
  readonly system: string;
  readonly exchanges: readonly Exchange[];
}

/** Starts a conversation without messages. */
export function newConversation(id: string, now: number, system = ""): Conversation {
  return { id, title: "", createdAt: now, system, exchanges: [] };
}

/** What people call a conversation: its title, or how it begins. */
export function titleOf({ title, exchanges }: Conversation): string {
  if (title !== "") return title;
  const first = exchanges[0]?.question.trim().replace(/\s+/g, " ") ?? "";
  if (first === "") return "New conversation";
  return first.length > 48 ? `${first.slice(0, 47)}…` : first;
}

/** Adds a message, which models begin to answer. */
export function ask(
  conversation: Conversation,
  { id, question, models }: { id: string; question: string; models: readonly string[] },
): Conversation {
  const exchange = { id, question, answers: models.map(emptyAnswer) };
  return { ...conversation, exchanges: [...conversation.exchanges, exchange] };
}

/** Goes back to a message: it and all behind it are taken off. */
export function cutAt(conversation: Conversation, exchangeId: string): Conversation {
  const index = conversation.exchanges.findIndex(({ id }) => id === exchangeId);
  if (index < 0) return conversation;
  return { ...conversation, exchanges: conversation.exchanges.slice(0, index) };
}

/** Changes what a model answers to a message. */
export function changeAnswer(
  conversation: Conversation,
  where: { readonly exchange: string; readonly column: number },
  change: (answer: Answer) => Answer,
): Conversation {
  const exchanges = conversation.exchanges.map((exchange) => {
    if (exchange.id !== where.exchange) return exchange;
    const answers = exchange.answers.map((answer, column) =>
      column === where.column ? change(answer) : answer,
    );
    return { ...exchange, answers };
  });
  return { ...conversation, exchanges };
}

/**
 * What a model is told of a conversation: its own answers, and the first ones of what came before it.
 * A message that got no answer is left out unless it is the last: templates that want users and
 * models to take turns would refuse two messages in a row.
 */
export function turnsFor(
  { system, exchanges }: Conversation,
  column: number,
): { role: "system" | "user" | "assistant"; content: string }[] {
  const turns: { role: "system" | "user" | "assistant"; content: string }[] = [];
  if (system.trim() !== "") turns.push({ role: "system", content: system });
  for (const [i, { question, answers }] of exchanges.entries()) {
    const text = (answers[column] ?? answers[0])?.text ?? "";
    if (text === "" && i < exchanges.length - 1) continue;
    turns.push({ role: "user", content: question });
    if (text !== "") turns.push({ role: "assistant", content: text });
  }
  return turns;
}

/** Whether a model is still answering. */
export function isWriting({ exchanges }: Conversation): boolean {
  return exchanges.some(({ answers }) => answers.some(({ state }) => state === "writing"));
}

function emptyAnswer(model: string): Answer {
  const nothing = { error: null, firstMs: null, pieces: 0, lastMs: 0, timings: null, reason: null };
  return { model, text: "", state: "writing", ...nothing };
}
