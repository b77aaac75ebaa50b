#!/usr/bin/env node
import { readFileSync, realpathSync } from "node:fs";
import * as module from "node:module";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { Command } from "commander";
import { exitCodeOf, exitCodes, formatError } from "./errors.ts";
import { configureHelp } from "./help.ts";
import { type Io, processIo } from "./io.ts";
import { JsonAnswer } from "./json-answer.ts";
import { packageRoot, streamError } from "../platform/node.ts";
import { expectNoEmptyWords } from "./options.ts";
import { layoutOf } from "./terminal.ts";

/** What a command's file exports: it adds arguments, options, help and action. */
export type DefineCommand = (command: Command, io: Io) => void;

/** The commands. Each file is loaded only when its command runs, so that help comes at once. */
const commands: Record<string, { summary: string; load: () => Promise<DefineCommand> }> = {
  quantize: {
    summary: "quantize a checkpoint to fewer bits",
    load: async () => (await import("./commands/quantize.ts")).defineQuantize,
  },
  train: {
    summary: "train a model from text, or train one further",
    load: async () => (await import("./commands/train.ts")).defineTrain,
  },
  eval: {
    summary: "measure perplexity, divergence from the original, size and speed",
    load: async () => (await import("./commands/eval.ts")).defineEval,
  },
  sweep: {
    summary: "make and measure every point of a recipe, resumably",
    load: async () => (await import("./commands/sweep.ts")).defineSweep,
  },
  results: {
    summary: "list or query the results of a sweep",
    load: async () => (await import("./commands/results.ts")).defineResults,
  },
  report: {
    summary: "write what a sweep found as a page, with charts and tables",
    load: async () => (await import("./commands/report.ts")).defineReport,
  },
  compare: {
    summary: "say which of two models is better, and how sure that is",
    load: async () => (await import("./commands/compare.ts")).defineCompare,
  },
  run: {
    summary: "continue a text",
    load: async () => (await import("./commands/run.ts")).defineRun,
  },
  chat: {
    summary: "talk to a model with its own chat template",
    load: async () => (await import("./commands/chat.ts")).defineChat,
  },
  serve: {
    summary: "answer programs that speak OpenAI's interface",
    load: async () => (await import("./commands/serve.ts")).defineServe,
  },
  inspect: {
    summary: "show a checkpoint's architecture, schemes, sizes and tensors",
    load: async () => (await import("./commands/inspect.ts")).defineInspect,
  },
  plan: {
    summary: "say what bits change of a model: size, memory, speed, energy",
    load: async () => (await import("./commands/plan.ts")).definePlan,
  },
  "measure-machine": {
    summary: "time this machine's kernels, so that plan can predict speeds",
    load: async () => (await import("./commands/measure-machine.ts")).defineMeasureMachine,
  },
  imatrix: {
    summary: "measure the importance of columns, for blocks of ggml",
    load: async () => (await import("./commands/imatrix.ts")).defineImatrix,
  },
  export: {
    summary: "write a checkpoint for other programs",
    load: async () => (await import("./commands/export.ts")).defineExport,
  },
};

const introduction = `
  fewbit quantize ./llama --method gptq --scheme w4g128 \\
    --calibration text.txt --out ./llama-w4
  fewbit eval ./llama-w4 --against ./llama --text test.txt
  fewbit run ./llama-w4 --prompt "It was a"
`;

/** Runs the words after the program's name and resolves to the exit code; never rejects. */
export async function main(words: readonly string[], given: Io): Promise<number> {
  const answer = new JsonAnswer(given, words.includes("--json"));
  const { io } = answer;
  const { style } = layoutOf(io.stderr, io);
  const args = wordsMeant(words);
  let program: Command | undefined;
  try {
    program = await defineProgram(args, io);
    if (args.length === 0) {
      io.stderr.write(program.helpInformation());
      return exitCodes.usage;
    }
    await program.parseAsync([...args], { from: "user" });
    return exitCodes.done;
  } catch (error) {
    const code = exitCodeOf(error);
    if (code === exitCodes.done) return code;
    const debug = Boolean(io.env["FEWBIT_DEBUG"]);
    const name = args.find((word) => Object.hasOwn(commands, word));
    const command = program?.commands.find((each) => each.name() === name);
    for (const line of formatError(error, { style, debug, command })) io.stderr.write(`${line}\n`);
    answer.fail(error, command);
    return code;
  }
}

/** `fewbit help run` is what people try first; help about a command that is none helps nobody. */
function wordsMeant(words: readonly string[]): readonly string[] {
  const [word, name = "-"] = words;
  const help = words.includes("--help-all") && !name.startsWith("-") ? "--help-all" : "--help";
  if (word === "--help-all") return ["--help"];
  const args = word === "help" ? [...words.slice(1, 2), help] : words;
  const [first = "-"] = args;
  return first.startsWith("-") || Object.hasOwn(commands, first) ? args : [first];
}

async function defineProgram(args: readonly string[], io: Io): Promise<Command> {
  const program = configure(new Command("fewbit"), io)
    .description(
      "Quantizes language models to 1–8 bits, measures what it cost, and runs the result.",
    )
    .usage("COMMAND [options]")
    .optionsGroup("Output:")
    .version(packageVersion(), "--version", "print the version")
    .addHelpText("after", "\nfewbit COMMAND -h explains a command.")
    .commandsGroup("Commands:");
  program.addHelpText("before", introduction);
  program.hook("preAction", (_, command) => expectNoEmptyWords(command));
  const named = args.find((word) => Object.hasOwn(commands, word));
  for (const [name, { summary, load }] of Object.entries(commands)) {
    const command = configure(program.command(name), io).summary(summary);
    if (name === named) (await load())(command, io);
  }
  return program;
}

/** Sets what all commands share: where help goes, how it looks, and that errors come to `main`. */
function configure(command: Command, io: Io): Command {
  return configureHelp(command, io)
    .exitOverride()
    .configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: () => {},
      outputError: () => {},
      getOutHasColors: () => true,
    });
}

function packageVersion(): string {
  const text = readFileSync(join(packageRoot, "package.json"), "utf8");
  return (JSON.parse(text) as { version: string }).version;
}

/** Tells whether this file is the program, also when npm linked it under another name. */
function isProgram(): boolean {
  const started = process.argv[1];
  return started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url);
}

if (isProgram()) {
  // Node 22.8 keeps compiled modules for the next start.
  module.enableCompileCache?.();
  // A reader such as `head` may close the pipe early; that is no error.
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(exitCodes.done);
    const { style } = layoutOf(process.stderr, processIo());
    const failure = streamError("standard output", error);
    const lines = formatError(failure, { style, debug: false });
    process.stderr.write(`${lines.join("\n")}\n`);
    process.exit(exitCodes.failed);
  });
  // A job continues without the terminal or the log that it told how far it is.
  process.stderr.on("error", () => {});
  // Warnings of Node about itself are for who works on fewbit.
  if (!process.env["FEWBIT_DEBUG"]) process.removeAllListeners("warning");
  process.exitCode = await main(process.argv.slice(2), processIo());
}
