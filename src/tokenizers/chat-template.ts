import { FewbitError, FormatError, UnsupportedError } from "../util/errors.ts";
import {
  type TemplateNode,
  type TemplateScope,
  type TemplateValue,
  templateEngine,
} from "./template-engine.ts";
import type { Tokenizer } from "./tokenizer.ts";

/** One turn of a conversation. */
export interface ChatMessage {
  /** `system`, `user`, `assistant`, or what else the model's template knows. */
  readonly role: string;
  readonly content: string;
}

/** How a conversation is turned into text. */
export interface ChatTemplateOptions {
  /** End the text where the assistant's answer begins. Default true. */
  readonly addGenerationPrompt?: boolean;
  /** More variables for the template, such as `enable_thinking`. */
  readonly variables?: Readonly<Record<string, unknown>>;
  /** The present, for templates that print the date. Default now. */
  readonly now?: Date;
}

/** Most steps of a template, and milliseconds; real ones need some hundred steps a message. */
const mostSteps = 500_000;
const longestMs = 5_000;
/** Characters that a template may build, and items of a range. */
const longestText = 16_000_000;
const longestRange = 10_000;

/** Raised by a template itself, through `raise_exception`. */
class TemplateRefusal extends Error {}

/** An interpreter that stops a template which runs, or grows, without end. */
class LimitedInterpreter extends templateEngine.Interpreter {
  private steps = 0;
  private readonly startMs = Date.now();

  override evaluate(node: TemplateNode | undefined, scope: TemplateScope): TemplateValue {
    if (++this.steps > mostSteps || Date.now() - this.startMs > longestMs) {
      throw new FormatError(
        `the model's chat template does not end (stopped after ${this.steps} steps)`,
      );
    }
    const result = super.evaluate(node, scope);
    if (typeof result.value === "string" && result.value.length > longestText) {
      throw new FormatError(
        `the model's chat template makes a text of more than ${longestText} characters`,
      );
    }
    return result;
  }
}

function range(first: number, second?: number, step = 1): number[] {
  const [start, stop] = second === undefined ? [0, first] : [first, second];
  const count = Math.max(0, Math.ceil((stop - start) / step));
  if (!(count <= longestRange)) {
    throw new FormatError(`the model's chat template asks for a range of ${count} items`);
  }
  return Array.from({ length: count }, (_, i) => start + i * step);
}

const monthNames =
  "January February March April May June July August September October November December".split(
    " ",
  );

/** The parts of C's `strftime` that chat templates use, in English whatever the locale. */
function formatTime(now: Date, format: string): string {
  const two = (value: number) => String(value).padStart(2, "0");
  const month = monthNames[now.getMonth()];
  const fields: Readonly<Record<string, string>> = {
    "%Y": String(now.getFullYear()),
    "%m": two(now.getMonth() + 1),
    "%d": two(now.getDate()),
    "%H": two(now.getHours()),
    "%M": two(now.getMinutes()),
    "%S": two(now.getSeconds()),
    "%B": month,
    "%b": month.slice(0, 3),
    "%%": "%",
  };
  return format.replace(/%./g, (field) => fields[field] ?? field);
}

function globals(now: Date): Record<string, unknown> {
  return {
    true: true,
    True: true,
    false: false,
    False: false,
    none: null,
    None: null,
    range,
    strftime_now: (format: string) => formatTime(now, format),
    raise_exception: (message: string) => {
      throw new TemplateRefusal(message);
    },
  };
}

function asFewbitError(cause: unknown): FewbitError {
  if (cause instanceof FewbitError) return cause;
  const reason = cause instanceof Error ? cause.message : String(cause);
  if (cause instanceof TemplateRefusal) {
    return new UnsupportedError(`the model's chat template refuses these messages: ${reason}`, {
      cause,
    });
  }
  return new FormatError(`the model's chat template does not work: ${reason}`, { cause });
}

/**
 * Writes a conversation as the text that a model was trained on, by its own Jinja template. The
 * template is interpreted, never run as code, and stopped when it runs or grows without end. The
 * text holds the special tokens it needs: encode it without adding any.
 * @throws FormatError when the template is broken or runs away
 * @throws UnsupportedError when the template refuses the messages
 */
export function renderChatTemplate(
  template: string,
  messages: readonly ChatMessage[],
  tokens: { readonly bosToken: string | null; readonly eosToken: string | null },
  options: ChatTemplateOptions = {},
): string {
  try {
    const program = templateEngine.parse(
      templateEngine.tokenize(template, { lstrip_blocks: true, trim_blocks: true }),
    );
    const environment = new templateEngine.Environment();
    const variables = {
      ...globals(options.now ?? new Date()),
      ...options.variables,
      messages: messages.map((message) => ({ ...message })),
      add_generation_prompt: options.addGenerationPrompt ?? true,
      bos_token: tokens.bosToken ?? "",
      eos_token: tokens.eosToken ?? "",
    };
    for (const [name, value] of Object.entries(variables)) environment.set(name, value);
    return String(new LimitedInterpreter(environment).run(program).value);
  } catch (error) {
    throw asFewbitError(error);
  }
}

/**
 * Writes a conversation by the template of the model's tokenizer.
 * @throws UnsupportedError when the model has no template, or its template refuses the messages
 * @throws FormatError when the template is broken or runs away
 */
export function applyChatTemplate(
  tokenizer: Tokenizer,
  messages: readonly ChatMessage[],
  options: ChatTemplateOptions = {},
): string {
  if (tokenizer.chatTemplate === null) {
    throw new UnsupportedError("this model has no chat template, so it is not made for chat", {
      hint: "continue a text with it instead (fewbit run), or take the model's instruct variant",
    });
  }
  return renderChatTemplate(tokenizer.chatTemplate, messages, tokenizer, options);
}
