import type { Command } from "commander";
import { DownloadDisplay } from "../download-display.ts";
import { describeBackend } from "../../report/describe-backend.ts";
import { formatGenerationStats } from "../../report/generation-stats.ts";
import type { Tone } from "../../report/style.ts";
import { UsageError } from "../../util/errors.ts";
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
  readonly prompt?: string;
}

const example = `
  fewbit run ./llama-w4 --prompt "It was a" --max-tokens 64
`;

/** Defines `fewbit run`. */
export function defineRun(command: Command, io: Io): void {
  command
    .description("Continues a text. The text goes to standard output as it comes.")
    .usage("MODEL --prompt TEXT [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to continue:")
    .option("--prompt <text>", "the text (default: what comes from standard input)");
  addGenerationOptions(command);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runRun(model, options, io));
}

async function runRun(path: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const prompt = await promptOf(options, io);
  const { generateText, load } = await import("../../index.ts");
  const { threads, backend } = options;
  const { style } = terminal.resultLayout;
  const generation = await interruptible(terminal, whenStopped, async (signal) => {
    const onNotice = (message: string): void => terminal.notice(message);
    const onDownload = new DownloadDisplay(terminal).handle;
    const listeners = { signal, onNotice, onDownload };
    const model = await load(path, { ...defined({ threads, backend }), ...listeners });
    const show = (text: string, tone: Tone = "plain"): void => {
      if (!options.json) io.stdout.write(style(terminalSafe(text, io), tone));
    };
    terminal.details([describeBackend(model.backend)]);
    show(prompt, "dim");
    const request = { ...pickGenerationOptions(options), prompt, signal };
    try {
      return await generateText(model, request, ({ text }) => show(text));
    } finally {
      show("\n");
      model.release();
    }
  });
  const { stats, text, tokens } = generation;
  terminal.notes(["", ...formatGenerationStats(stats, terminal.noteLayout)]);
  terminal.json({ model: path, prompt, text, tokens, ...stats });
}

const whenStopped = {
  message: "the text ends here",
  hint: "the same seed and options give the same text again",
};

async function promptOf({ prompt }: Options, io: Io): Promise<string> {
  if (prompt !== undefined) return prompt;
  if (io.stdin.isTTY) {
    throw new UsageError("there is no text to continue", {
      hint: 'give one with --prompt "It was a", or through standard input',
    });
  }
  return readAll(io.stdin);
}
