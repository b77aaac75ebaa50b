import { type Command, InvalidArgumentError } from "commander";
import type { KvCacheDType, ModelPlan } from "../../index.ts";
import { kvCacheDTypes } from "../../nn/kv-cache.ts";
import { usualTableScheme } from "../../quant/usual-table-scheme.ts";
import { printable } from "../../report/format.ts";
import { formatModelPlan } from "../../report/plan/plan-text.ts";
import { byteSize, parseByteSize } from "../../util/byte-size.ts";
import { DownloadDisplay } from "../download-display.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addVerbosityOptions,
  choiceOption,
  defined,
  positiveInteger,
  type VerbosityOptions,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions {
  readonly scheme?: readonly string[];
  readonly embedding?: string;
  readonly head?: string;
  readonly context?: number;
  readonly kvCache?: KvCacheDType;
  readonly memory?: number;
  readonly machine?: readonly string[];
  readonly threads?: number;
  readonly page?: string;
  readonly overwrite?: boolean;
}

const example = `
  fewbit plan ./llama/config.json --scheme w2g64,w4g64 --memory 8GB
`;
const behind = `
Reads a configuration and no weights, and asks for no method: what would follow
from bits. What one quantization of a checkpoint does, takes and writes, says
fewbit quantize --dry-run.`;

/** Defines `fewbit plan`. */
export function definePlan(command: Command, io: Io): void {
  command
    .description(
      "Says what bits change of a model, from its config.json alone: size, memory, bytes and " +
        "operations a token, speed, energy, and what fits.",
    )
    .usage("MODEL [options]")
    .argument("<model>", "config.json, directory, GGUF file, or hf:owner/name[@revision]")
    .addHelpText("before", example)
    .addHelpText("after", behind)
    .optionsGroup("What to compare:")
    .option("--scheme <ids>", "schemes of the linear layers (default: 8 to 1.58 bits)", collectIds)
    .option(
      "--embedding <scheme>",
      `scheme of the embedding, or f16 (default: ${usualTableScheme})`,
    )
    .option("--head <scheme>", `scheme of the output head, or f16 (default: ${usualTableScheme})`)
    .option("--context <n>", "tokens in the cache (default: 2048)", positiveInteger)
    .addOption(choiceOption("--kv-cache", kvCacheDTypes, "what keys and values are kept as"))
    .option("--memory <size>", "memory to fit into, such as 8GB (default: the machine's)", size)
    .optionsGroup("Machines:")
    .option(
      "--machine <ids>",
      "this, all, ids, files of measure-machine (default: this,all)",
      collectIds,
    )
    .option("--threads <n>", "threads of a timed machine (default: the fastest)", positiveInteger)
    .optionsGroup("What to write:")
    .option("--page <file>", "write a page of HTML on which all of it is moved by hand")
    .option("--overwrite", "replace a page that stands there already");
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runPlan(model, options, io));
}

function collectIds(text: string, earlier: readonly string[] = []): string[] {
  return [...earlier, ...text.split(",").map((id) => id.trim())];
}

function size(text: string): number {
  const parsed = byteSize.safeParse(text);
  const bytes = parsed.success ? parseByteSize(text) : 0;
  if (bytes > 0) return bytes;
  throw new InvalidArgumentError("Expected a size above zero, such as 8GB.");
}

async function runPlan(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  const { scheme: schemes, machine: machines, memory: memoryBytes } = options;
  const { embedding, head, context, kvCache, threads, page, overwrite } = options;
  const { planModelSizes } = await import("../../index.ts");
  const plan: ModelPlan = await interruptible(terminal, whenStopped, (signal) =>
    planModelSizes(model, {
      ...defined({ schemes, embedding, head, context, kvCache, memoryBytes, machines, threads }),
      ...defined({ page, overwrite }),
      signal,
      onNotice: (message) => terminal.notice(message),
      onDownload: new DownloadDisplay(terminal).handle,
    }),
  );
  terminal.results(["", ...formatModelPlan(plan, terminal.resultLayout), ""]);
  if (page !== undefined) terminal.results([`  page  ${printable(page)}`, ""]);
  terminal.json(plan);
}

const whenStopped = {
  message: "what was downloaded is kept",
  hint: "run the same command again to resume",
};
