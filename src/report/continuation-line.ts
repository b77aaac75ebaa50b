import type { Continuation } from "../evaluation/generation/generation.ts";

/** Writes a continuation as one line of text, and says so where there is nothing to be seen. */
export function continuationLine({ text, tokens }: Pick<Continuation, "text" | "tokens">): string {
  if (text.trim() !== "") return text.replace(/\s+/g, " ");
  return tokens > 0 ? "(only spaces and line ends)" : "(nothing)";
}
