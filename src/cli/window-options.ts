import type { Command } from "commander";
import type { EvaluateOptions } from "../evaluation/evaluation.ts";
import { markRareFlags } from "./help.ts";
import { choiceOption, defined, positiveInteger, windowLength } from "./options.ts";

/** Options that say how a text is cut into windows. */
export type WindowOptions = Pick<
  EvaluateOptions<string>,
  "window" | "protocol" | "maxWindows" | "beyondContext"
>;

/** Adds the options that say how a text is cut into windows. */
export function addWindowOptions(command: Command): Command {
  command
    .option("--window <tokens>", "tokens a window (default: 2048, or the context)", windowLength)
    .addOption(
      choiceOption(
        "--protocol",
        ["windows", "second-half"],
        "score all of each window, or its second half as llama.cpp does (default: windows)",
      ),
    )
    .option("--max-windows <n>", "stop after this many windows", positiveInteger)
    .option(
      "--beyond-context",
      "allow windows longer than the context, on which the model was never trained",
    );
  return markRareFlags(command, "--protocol", "--beyond-context");
}

/** Picks out what was said of windows. */
export function windowOptions({
  window,
  protocol,
  maxWindows,
  beyondContext,
}: WindowOptions): WindowOptions {
  return defined({ window, protocol, maxWindows, beyondContext });
}
