import type { LanguageModel } from "../../runtime/language-model.ts";
import { UsageError } from "../../util/errors.ts";
import { encodeContinuation } from "./encode-continuation.ts";
import type { Task } from "./task.ts";

/** A token stands for a byte at least, and a UTF-16 unit takes at most three bytes. */
const tokensPerUnit = 3;

/**
 * Makes sure before a long evaluation that the model's context has room for every answer.
 * @throws UsageError that names task and item
 */
export function expectScorable(
  { tokenizer, config: { contextLength } }: Pick<LanguageModel, "tokenizer" | "config">,
  tasks: readonly Task[],
): void {
  for (const { name, items } of tasks) {
    for (const [index, { options }] of items.entries()) {
      for (const option of options) {
        if (option.continuation.length * tokensPerUnit < contextLength) continue;
        try {
          encodeContinuation(tokenizer, option, contextLength);
        } catch (error) {
          if (!(error instanceof UsageError)) throw error;
          const { hint } = error;
          const message = `${name}, item ${index + 1}: ${error.message}`;
          throw new UsageError(message, { hint });
        }
      }
    }
  }
}
