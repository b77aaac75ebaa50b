import * as module from "node:module";
import { processIo } from "../src/cli/io.ts";
import { main } from "../src/cli/main.ts";

/** Runs `fewbit sweep` and, when that went well, `fewbit report`; sets the exit code. */
export async function runSweep(
  recipe: string,
  out: string,
  options: readonly string[],
): Promise<void> {
  // The processes that make checkpoints start faster with the modules that this one compiled.
  module.enableCompileCache();
  const io = processIo();
  const code = await main(["sweep", recipe, "--out", out, ...options], io);
  process.exitCode = code === 0 ? await main(["report", out], io) : code;
}
