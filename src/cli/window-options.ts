import type { Command } from "commander";
import { choiceOption, positiveInteger } from "./options.ts";

/** Options that say how a text is cut into windows. */
export interface WindowOptions {
  readonly window?: number;
  readonly protocol?: "windows" | "second-half";
  readonly maxWindows?: number;
}

/** Adds the options that say how a text is cut into windows. */
export function addWindowOptions(command: Command): Command {
  return command
    .option("--window <tokens>", "tokens a window (default: 2048, or the context)", positiveInteger)
    .addOption(
      choiceOption(
        "--protocol",
        ["windows", "second-half"],
        "score all of each window, or its second half as llama.cpp does (default: windows)",
      ),
    )
    .option("--max-windows <n>", "stop after this many windows", positiveInteger);
}
