import type { EngineFinish, EngineToken } from "../../runtime/serving/engine-request.ts";
import type { Tokenizer } from "../../tokenizers/tokenizer.ts";
import type { ChatPlan } from "../generation/plan-chat.ts";
import { ToolCallReader, type ToolEvent } from "../tools/tool-call-reader.ts";
import { finishReason } from "./finish-reason.ts";
import { answerId } from "./ids.ts";
import { chatLogprob } from "./logprobs.ts";

/** What is new of an answer. */
export interface ChatDelta {
  readonly delta: { readonly content?: string; readonly tool_calls?: readonly object[] };
  readonly logprobs: { readonly content: readonly object[]; readonly refusal: null } | null;
}

interface ReadCall {
  readonly id: string;
  readonly name: string;
  arguments: string;
}

/** One answer of a chat as it comes: what is new, and what there is in all. */
export class ChatChoice {
  private readonly tokenizer: Tokenizer;
  private readonly reader: ToolCallReader | null;
  private readonly calls: ReadCall[] = [];
  private readonly logprobs: object[] = [];
  private content = "";

  constructor(tokenizer: Tokenizer, { toolFormat, toolNames }: ChatPlan) {
    this.tokenizer = tokenizer;
    this.reader = toolFormat ? new ToolCallReader(toolFormat, toolNames) : null;
  }

  /** Takes a token; null where nothing is new yet. */
  push({ text, logprobs }: EngineToken): ChatDelta | null {
    const known = logprobs ? [chatLogprob(this.tokenizer, logprobs)] : [];
    this.logprobs.push(...known);
    const events = this.reader ? this.reader.push(text) : contentOf(text);
    return this.delta(events, known);
  }

  /** Returns what was held back until the end. */
  finish(): ChatDelta | null {
    return this.delta(this.reader?.finish() ?? [], []);
  }

  /** Why it ended. */
  reason({ finishReason: reason }: EngineFinish): string {
    const isWhole = reason !== "length";
    return isWhole && this.calls.length > 0 ? "tool_calls" : finishReason(reason);
  }

  /** The whole message, with likelihoods if there are any. */
  whole(): { readonly message: object; readonly logprobs: object | null } {
    const calls = this.calls.map(({ id, name, arguments: text }) => ({
      id,
      type: "function",
      function: { name, arguments: text },
    }));
    const content = calls.length > 0 && this.content.trim() === "" ? null : this.content;
    const called = calls.length > 0 ? { tool_calls: calls } : {};
    return {
      message: { role: "assistant", content, refusal: null, ...called },
      logprobs: this.logprobs.length > 0 ? { content: this.logprobs, refusal: null } : null,
    };
  }

  private delta(events: readonly ToolEvent[], logprobs: readonly object[]): ChatDelta | null {
    if (events.length === 0 && logprobs.length === 0) return null;
    let content = "";
    const calls: object[] = [];
    for (const event of events) {
      if (event.type === "content") content += event.text;
      else calls.push(this.takeCall(event));
    }
    this.content += content;
    return {
      delta: {
        ...(content === "" ? {} : { content }),
        ...(calls.length ? { tool_calls: calls } : {}),
      },
      logprobs: logprobs.length > 0 ? { content: logprobs, refusal: null } : null,
    };
  }

  private takeCall(event: Exclude<ToolEvent, { readonly type: "content" }>): object {
    if (event.type === "call") {
      const call = { id: answerId("call"), name: event.name, arguments: "" };
      this.calls.push(call);
      const { id, name } = call;
      return { index: event.call, id, type: "function", function: { name, arguments: "" } };
    }
    this.calls[event.call].arguments += event.text;
    return { index: event.call, function: { arguments: event.text } };
  }
}

function contentOf(text: string): ToolEvent[] {
  return text === "" ? [] : [{ type: "content", text }];
}
