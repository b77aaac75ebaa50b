import type { FinishReason } from "../../runtime/generated-text.ts";

/** OpenAI's word for why a text ended. */
export function finishReason(reason: FinishReason): "stop" | "length" {
  return reason === "length" ? "length" : "stop";
}
