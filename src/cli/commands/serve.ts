import type { Command } from "commander";
import { type KvCacheDType, kvCacheDTypes } from "../../nn/kv-cache.ts";
import { formatPlural, printable } from "../../report/format.ts";
import { modelName } from "../../report/model-name.ts";
import { joinParts } from "../../report/plan-summary.ts";
import { DownloadDisplay } from "../download-display.ts";
import { markRareFlags } from "../help.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  choiceOption,
  collect,
  type ComputeOptions,
  defined,
  nonNegativeInteger,
  nonNegativeNumber,
  positiveInteger,
  positiveNumber,
  type VerbosityOptions,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions, ComputeOptions {
  readonly host?: string;
  readonly port?: number;
  readonly apiKey?: string;
  readonly corsOrigin?: readonly string[];
  readonly context?: number;
  readonly slots?: number;
  readonly cacheTokens?: number;
  readonly draft?: string;
  readonly lookup?: boolean;
  readonly maxQueue?: number;
  readonly queueTimeout?: number;
  readonly kvCache?: KvCacheDType;
  readonly exact?: boolean;
  readonly idleUnload?: number;
  readonly maxTokens?: number;
  readonly maxBody?: number;
  readonly requestTimeout?: number;
  readonly shutdownTimeout: number;
}

const example = `
  fewbit serve ./llama-w4 --port 8080
  fewbit serve small=./llama-w2 large=./llama --api-key "$KEY"
`;

const usualGrace = 30;

/** Defines `fewbit serve`. */
export function defineServe(command: Command, io: Io): void {
  command
    .description(
      "Serves models to programs that speak OpenAI's interface, and a page to chat with them.",
    )
    .usage("[NAME=]MODEL... [options]")
    .argument(
      "<models...>",
      "directories, GGUF files, or hf:owner/name; NAME= is what requests call one",
    )
    .addHelpText("before", example)
    .optionsGroup("Address:")
    .option("--host <address>", "address to listen at (default: 127.0.0.1)")
    .option("--port <n>", "port, 0 for any that is free (default: 8080)", nonNegativeInteger)
    .option("--api-key <key>", "what requests must bring (default: FEWBIT_API_KEY, or nothing)")
    .option(
      "--cors-origin <origin>",
      "let pages of this origin ask, * for all (repeatable)",
      collect,
    );
  addEngineOptions(command);
  addLimitOptions(command);
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((models: string[], options: Options) => runServe(models, options, io));
}

function addEngineOptions(command: Command): void {
  command
    .optionsGroup("Models:")
    .option(
      "--context <n>",
      "tokens of a prompt and its answer at most (default: the model's, or 8192)",
      positiveInteger,
    )
    .option("--slots <n>", "requests that are run side by side (default: 16)", positiveInteger)
    .option(
      "--cache-tokens <n>",
      "tokens whose keys and values are kept (default: four contexts)",
      positiveInteger,
    )
    .option("--draft <model>", "smaller model with the same tokenizer that guesses tokens")
    .option("--lookup", "guess that what followed the last tokens before follows them again")
    .option("--exact", "multiply packed weights without rounding their inputs to 8 bits")
    .addOption(
      choiceOption(
        "--kv-cache",
        kvCacheDTypes,
        "what keys and values are kept as (default: the model's, or f16)",
      ),
    )
    .option(
      "--idle-unload <s>",
      "take models that nobody used for so long out of memory",
      positiveNumber,
    );
}

function addLimitOptions(command: Command): void {
  command
    .optionsGroup("Limits:")
    .option("--max-queue <n>", "requests that may wait for a model (default: 64)", positiveInteger)
    .option(
      "--queue-timeout <s>",
      "longest that a request waits for its turn (default: 120)",
      positiveNumber,
    )
    .option("--max-tokens <n>", "tokens of an answer (default: the context)", positiveInteger)
    .option("--max-body <bytes>", "size of a request (default: 8388608)", positiveInteger)
    .option("--request-timeout <s>", "time of a request (default: 1800)", positiveNumber)
    .option(
      "--shutdown-timeout <s>",
      `time that answers get when the server is told to end (default: ${usualGrace})`,
      nonNegativeNumber,
      usualGrace,
    );
  markRareFlags(
    command,
    "--queue-timeout",
    "--max-body",
    "--request-timeout",
    "--shutdown-timeout",
    "--exact",
    "--cache-tokens",
    "--lookup",
  );
}

async function runServe(words: readonly string[], options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { serve } = await import("../../index.ts");
  const models = words.map(namedModel);
  await interruptible(terminal, whenStopped, async (signal) => {
    const server = await serve(models, { ...serverOptions(options, terminal), signal });
    terminal.results(["", ...announce(server.url, models, terminal)]);
    terminal.json({ url: server.url, port: server.port, models });
    await aborted(signal);
    await server.close(1000 * options.shutdownTimeout);
    terminal.notes(["  stopped"]);
  });
}

const whenStopped = { message: "the models were not loaded", hint: "start the server again" };

function serverOptions(options: Options, terminal: Terminal) {
  const { host, port, threads, backend, corsOrigin, idleUnload } = options;
  const { maxTokens, maxBody, requestTimeout } = options;
  const apiKey = options.apiKey ?? terminal.io.env["FEWBIT_API_KEY"];
  return {
    ...defined({ host, port, threads, backend, apiKey, corsOrigins: corsOrigin }),
    ...defined({ draft: options.draft }),
    ...defined({ idleMs: milliseconds(idleUnload) }),
    engine: {
      ...defined({
        maxQueued: options.maxQueue,
        maxQueuedMs: milliseconds(options.queueTimeout),
        maxContext: options.context,
        maxRunning: options.slots,
        cacheTokens: options.cacheTokens,
        kvCache: options.kvCache,
        speculation:
          options.lookup || options.draft ? { lookup: options.lookup ?? false } : undefined,
      }),
      products: options.exact ? "exact" : "fast",
    },
    limits: defined({
      tokens: maxTokens,
      bodyBytes: maxBody,
      requestMs: milliseconds(requestTimeout),
    }),
    onNotice: (message: string) => terminal.notice(message),
    onDownload: new DownloadDisplay(terminal).handle,
    onError: (error: unknown) => terminal.notice(`a request failed: ${String(error)}`),
  } as const;
}

const milliseconds = (seconds: number | undefined): number | undefined =>
  seconds === undefined ? undefined : 1000 * seconds;

/** `NAME=MODEL`, or a model whose name is that of its directory or file. */
function namedModel(word: string): { readonly name: string; readonly source: string } {
  const [, name, source] = /^([\w.-]+)=(.+)$/.exec(word) ?? [];
  if (name !== undefined && source !== undefined) return { name, source };
  return { name: modelName(word), source: word };
}

function announce(
  url: string,
  models: readonly { readonly name: string }[],
  terminal: Terminal,
): string[] {
  const names = models.map(({ name }) => printable(name)).join(", ");
  const parts = [`${formatPlural(models.length, "model")}: ${names}`, `${url}/v1`];
  return [...joinParts(parts, terminal.resultLayout), ""];
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });
}
