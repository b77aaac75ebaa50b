import { type Command, InvalidArgumentError } from "commander";
import type { ApiOptions, ExportOptions } from "../../index.ts";
import { formatExport, formatExportPlan } from "../../report/export-summary.ts";
import { DownloadDisplay } from "../download-display.ts";
import { markRareFlags } from "../help.ts";
import { interruptible } from "../interrupt.ts";
import type { Io } from "../io.ts";
import {
  addComputeOptions,
  addVerbosityOptions,
  type ComputeOptions,
  choiceOption,
  defined,
  expectGiven,
  type VerbosityOptions,
  modelArgument,
} from "../options.ts";
import { Terminal } from "../terminal.ts";

interface Options extends VerbosityOptions, ComputeOptions {
  readonly format: "hf" | "gguf" | "gptq" | "awq" | "compressed-tensors" | "mlx" | "onnx";
  readonly out: string;
  readonly dtype?: "f16" | "bf16" | "f32";
  readonly type?: string;
  readonly requantize?: boolean;
  readonly splitSize?: number;
  readonly pre?: string;
  readonly products?: "exact" | "fast";
  readonly verify?: boolean;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly fromQat?: string;
}

const example = `
  fewbit export ./llama-w4 --format gguf --out llama-w4.gguf
  fewbit export ./llama-w4 --format compressed-tensors --out ./llama-w4-ct
  fewbit export ./llama-w4 --format onnx --out ./llama-w4-onnx --verify
`;

/** Defines `fewbit export`. */
export function defineExport(command: Command, io: Io): void {
  command
    .description(
      "Writes a checkpoint that other programs read. gguf: packed weights as llama.cpp runs " +
        "them, without rounding unless it is asked for. gptq, awq, compressed-tensors: packed " +
        "linears as vLLM, SGLang and transformers load them. mlx: packed weights as mlx_lm runs " +
        "them. onnx: the whole model, as transformers.js and ONNX Runtime run it. hf: plain " +
        "weights, dequantized.",
    )
    .usage("MODEL --format FORMAT --out PATH [options]")
    .argument("<model>", modelArgument)
    .addHelpText("before", example)
    .optionsGroup("What to write:")
    .addOption(
      choiceOption(
        "--format",
        ["gguf", "gptq", "awq", "compressed-tensors", "mlx", "onnx", "hf"],
        "gguf: llama.cpp; gptq, awq, compressed-tensors: vLLM and others; mlx: mlx_lm; " +
          "onnx: ONNX Runtime; hf: plain weights",
      ),
    )
    .option("--out <path>", "file (gguf) or directory (all others) to write")
    .option(
      "--from-qat <scheme>",
      "grid that the float weights were trained on, such as q4_0: scales are recovered, not fitted",
    )
    .option("--overwrite", "replace what is there already")
    .option("--dry-run", "only list what would be written, to the byte")
    .optionsGroup("GGUF, packed directories and ONNX:")
    .option(
      "--type <type>",
      "type of the weights: f16, q4_0, Q4_K_M, ... (default: the smallest that holds them exactly)",
    )
    .option("--requantize", "round packed weights that the type does not hold exactly")
    .option("--split-size <size>", "largest part of a split file, such as 2GB", readSize)
    .option("--pre <name>", "name of the tokenizer's pre-tokenization in llama.cpp")
    .option("--verify", "read it again and compare weights; of GGUF tokens and logits, too")
    .optionsGroup("Hugging Face, MLX and ONNX:")
    .addOption(
      choiceOption("--dtype", ["f16", "bf16", "f32"], "how weights are stored; onnx: computed in"),
    );
  command
    .optionsGroup("ONNX:")
    .addOption(
      choiceOption("--products", ["exact", "fast"], "fast: its readers round inputs to 8 bits"),
    );
  markRareFlags(command, "--pre", "--split-size", "--products", "--from-qat");
  addComputeOptions(command);
  addVerbosityOptions(command);
  command.action((model: string, options: Options) => runExport(model, options, io));
}

async function runExport(model: string, options: Options, io: Io): Promise<void> {
  const terminal = new Terminal(io, options);
  expectGiven(options, ["format", "out"], "export");
  const { exportCheckpoint, planExport } = await import("../../index.ts");
  const { json: _, quiet: __, verbose: ___, dryRun, ...asked } = options;
  const request: ExportOptions & ApiOptions = {
    ...defined(asked),
    onNotice: (message) => terminal.notice(message),
    onDownload: new DownloadDisplay(terminal).handle,
  };
  if (dryRun) {
    const plan = await planExport(model, request);
    terminal.results(formatExportPlan(plan, terminal.resultLayout));
    terminal.json(plan);
    return;
  }
  const result = await interruptible(terminal, whenStopped, (signal) =>
    exportCheckpoint(model, {
      ...request,
      signal,
      onProgress: ({ done, total, tensor }) =>
        terminal.progress({
          noun: "tensor",
          current: done,
          total,
          fraction: done / total,
          activity: tensor,
          remainingMs: null,
        }),
    }),
  );
  terminal.results(formatExport(result));
  terminal.json(result);
}

const units: Readonly<Record<string, number>> = { "": 1, K: 1e3, M: 1e6, G: 1e9 };

/** Reads a size such as `2GB`, `500M` or a number of bytes. */
function readSize(text: string): number {
  const [, number, unit = ""] = /^(\d+(?:\.\d+)?)\s*([KMG]?)B?$/i.exec(text) ?? [];
  const size = Math.floor(Number(number) * (units[unit.toUpperCase()] ?? 0));
  if (number !== undefined && size > 0) return size;
  throw new InvalidArgumentError("Expected a size such as 2GB, 500MB or a number of bytes.");
}

const whenStopped = {
  message: "nothing was written, and the model is as it was",
  hint: "run the same command again to start over",
};
