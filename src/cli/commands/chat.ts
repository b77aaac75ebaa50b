import { createInterface, type Interface } from "node:readline";
import type { Command } from "commander";
import { DownloadDisplay } from "../download-display.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import type { Generation } from "../../runtime/generate.ts";
import { formatGenerationStats } from "../../report/generation-stats.ts";
import type { ChatMessage } from "../../tokenizers/chat-template.ts";
import { CancelledError, FewbitError, UsageError } from "../../util/errors.ts";
import { formatError } from "../errors.ts";
import {
  addGenerationOptions,
  type GenerationOptions,
  pickGenerationOptions,
} from "../generation-options.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  defined,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import { readAll } from "../read-all.ts";
import { terminalSafe } from "../terminal-safe.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions, ComputeOptions, GenerationOptions {
  readonly system?: string;
  readonly template?: string;
}

/** Answers a conversation; what is written comes to `onText` piece by piece. */
type Answer = (
  messages: readonly ChatMessage[],
  signal: AbortSignal,
  onText: (text: string) => void,
) => Promise<Generation>;

const example = `
  fewbit chat ./llama-w4 --system "Answer in one sentence."
`;

const keys = `
In the conversation:
  /reset starts a new one, /exit ends it, Ctrl-C ends an answer

From a pipe:
  fewbit chat ./llama-w4 < question.txt`;

/** Defines `fewbit chat`. */
export function defineChat(command: Command, io: Io): void {
  command
    .description("Talks to a model, with the chat template that the model brings.")
    .usage("MODEL [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .addHelpText("after", keys)
    .optionsGroup("Conversation:")
    .option("--system <text>", "what the model is told before the conversation")
    .option("--template <name>", "which of the model's chat templates to use");
  addGenerationOptions(command);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runChat(model, options, io));
}

async function runChat(path: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  if (io.stdin.isTTY && options.json) {
    throw new UsageError("--json answers one message, which comes through standard input", {
      hint: `echo "Hello" | fewbit chat ${path} --json`,
    });
  }
  const { generateText, load } = await import("../../index.ts");
  const { applyChatTemplate } = await import("../../tokenizers/chat-template.ts");
  const { threads, backend } = options;
  const onNotice = (message: string): void => terminal.notice(message);
  const onDownload = new DownloadDisplay(terminal).handle;
  const model: LanguageModel = await interruptible(terminal, whenStopped, (signal) =>
    load(path, { ...defined({ threads, backend }), signal, onNotice, onDownload }),
  );
  const write = (messages: readonly ChatMessage[]): string => {
    const chosen = defined({ template: options.template });
    return applyChatTemplate(model.tokenizer, messages, chosen);
  };
  const answer: Answer = (messages, signal, onText) => {
    const prompt = model.tokenizer.encode(write(messages));
    const request = { ...pickGenerationOptions(options), prompt, signal };
    return generateText(model, request, ({ text }) => onText(text));
  };
  try {
    // A model without a template is refused before the user has written anything.
    write([...opening(options), { role: "user", content: "" }]);
    if (io.stdin.isTTY) await converse(answer, options, terminal);
    else await answerOnce(answer, options, terminal);
  } finally {
    model.release();
  }
}

const whenStopped = { message: "the conversation ends here", hint: "start it again to continue" };

function opening({ system }: Options): ChatMessage[] {
  return system === undefined ? [] : [{ role: "system", content: system }];
}

/** Takes standard input as one message. */
async function answerOnce(answer: Answer, options: Options, terminal: Terminal): Promise<void> {
  const { io } = terminal;
  const content = (await readAll(io.stdin)).trim();
  const messages = [...opening(options), { role: "user", content }];
  const write = (text: string): void => {
    if (!options.json) io.stdout.write(terminalSafe(text, io));
  };
  const generation = await interruptible(terminal, whenStopped, (signal) =>
    answer(messages, signal, write),
  );
  write("\n");
  terminal.notes(["", ...formatGenerationStats(generation.stats, terminal.noteLayout)]);
  const { text, tokens, stats } = generation;
  terminal.json({ messages, text, tokens, ...stats });
}

/** Reads messages line by line and answers each, until `/exit` or the end of the input. */
async function converse(answer: Answer, options: Options, terminal: Terminal): Promise<void> {
  const { io } = terminal;
  const lines = createInterface({
    input: io.stdin as unknown as NodeJS.ReadableStream,
    output: io.stdout as unknown as NodeJS.WritableStream,
    prompt: terminal.resultLayout.style("› ", "accent"),
  });
  terminal.notes(["", "  /reset starts anew, /exit ends, Ctrl-C ends an answer", ""]);
  let messages = opening(options);
  let current: AbortController | null = null;
  let left = false;
  lines.on("SIGINT", () => {
    if (current) return current.abort(new CancelledError());
    left = true;
    lines.close();
  });
  lines.prompt();
  for await (const line of lines as Interface) {
    const content = line.trim();
    if (content === "/exit") break;
    if (content === "/reset") messages = opening(options);
    else if (content !== "") {
      current = new AbortController();
      const turns = [...messages, { role: "user", content }];
      messages = await takeTurn(answer, turns, current.signal, terminal);
      current = null;
    }
    lines.prompt();
  }
  lines.close();
  io.stdout.write("\n");
  if (left) throw new CancelledError(whenStopped.message);
}

/** Answers the last message; returns the conversation, without both when that failed. */
async function takeTurn(
  answer: Answer,
  turns: readonly ChatMessage[],
  signal: AbortSignal,
  terminal: Terminal,
): Promise<ChatMessage[]> {
  const { io } = terminal;
  let written = "";
  const write = (text: string): void => {
    written += text;
    io.stdout.write(terminalSafe(text, io));
  };
  try {
    const { stats } = await answer(turns, signal, write);
    io.stdout.write("\n");
    terminal.details(formatGenerationStats(stats, terminal.noteLayout));
    return [...turns, { role: "assistant", content: written }];
  } catch (error) {
    io.stdout.write("\n");
    if (error instanceof CancelledError) return [...turns, { role: "assistant", content: written }];
    if (!(error instanceof FewbitError)) throw error;
    const format = { style: terminal.style, debug: false };
    terminal.notes([...formatError(error, format), "       /reset starts a new conversation"]);
    return turns.slice(0, -1);
  }
}
