import type { EngineFinish } from "../../runtime/serving/engine-request.ts";
import { sum } from "../../util/sums.ts";

/** Says how many tokens texts took; those of one prompt that several texts share count once. */
export function usageOf(finishes: readonly EngineFinish[], prompts: number = 1): object {
  const each = finishes.length / prompts;
  const ofPrompts = finishes.filter((_, i) => i % each === 0);
  const promptTokens = sum(ofPrompts.map(({ usage }) => usage.promptTokens));
  const completionTokens = sum(finishes.map(({ usage }) => usage.generatedTokens));
  return {
    prompt_tokens: promptTokens,
    completion_tokens: completionTokens,
    total_tokens: promptTokens + completionTokens,
    prompt_tokens_details: { cached_tokens: sum(ofPrompts.map(({ usage }) => usage.cachedTokens)) },
  };
}

/** Says how long a text took, under llama-server's names, which programs know. */
export function timingsOf({ usage, timings }: EngineFinish): object {
  const read = usage.promptTokens - usage.cachedTokens;
  const perToken = (ms: number, tokens: number): number => (tokens === 0 ? 0 : ms / tokens);
  return {
    cache_n: usage.cachedTokens,
    queued_ms: timings.queuedMs,
    prompt_n: read,
    prompt_ms: timings.prefillMs,
    prompt_per_token_ms: perToken(timings.prefillMs, read),
    prompt_per_second: timings.prefillTokensPerSecond,
    predicted_n: usage.generatedTokens,
    predicted_ms: timings.decodeMs,
    predicted_per_token_ms: perToken(timings.decodeMs, usage.generatedTokens - 1),
    predicted_per_second: timings.decodeTokensPerSecond,
    draft_n: usage.draftedTokens,
    draft_n_accepted: usage.acceptedTokens,
  };
}
