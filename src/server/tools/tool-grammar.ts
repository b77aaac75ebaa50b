import { badRequest } from "../api-error.ts";
import type { Grammar } from "../grammar/grammar.ts";
import type { RequestTool, ToolChoice } from "../schemas/chat.ts";
import type { ToolFormat } from "./tool-format.ts";

/** What a request says of the calls that it wants. */
export interface ToolWish {
  readonly tools: readonly RequestTool[];
  readonly choice: ToolChoice;
  /** Whether there may be several calls. */
  readonly parallel: boolean;
}

/**
 * Makes the grammar of an answer: with `auto` any text in which calls are whole and sound, otherwise
 * nothing but calls.
 * @throws ApiError for a choice that is none of the tools
 */
export function toolGrammar({ tools, choice, parallel }: ToolWish, format: ToolFormat): Grammar {
  const wanted = typeof choice === "string" ? null : choice.function.name;
  const chosen = tools.filter((tool) => wanted === null || tool.function.name === wanted);
  if (chosen.length === 0) {
    throw badRequest(
      `\`tool_choice\` names "${wanted}", which is none of the tools`,
      "tool_choice",
    );
  }
  const tags = chosen.map(({ function: { name, parameters } }) => ({
    type: "tag",
    begin: format.begin(name),
    content: { type: "json_schema", json_schema: { type: "object", ...parameters } },
    end: format.end,
  }));
  const single = !parallel || wanted !== null;
  const forced = { type: "tags_with_separator", separator: format.separator, at_least_one: true };
  const free = { type: "triggered_tags", triggers: [format.trigger], at_least_one: false };
  const shape = { ...(choice === "auto" ? free : forced), tags, stop_after_first: single };
  const text = JSON.stringify({ type: "structural_tag", format: shape });
  return { text, kind: "tags", strict: true, param: "tools" };
}
