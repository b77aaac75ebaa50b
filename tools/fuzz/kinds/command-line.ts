import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Io } from "../../../src/cli/io.ts";
import { main } from "../../../src/cli/main.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";
import { hostileTexts } from "../hostile-values.ts";
import { builtinFolder, copyFolder, readBuiltin } from "./fixtures.ts";

const commands: readonly string[] = [
  "quantize model --method gptq --scheme w4g32 --calibration text.txt --samples 2 --window 16 --out o --dry-run",
  "quantize model --method rtn --scheme w2g32 --layer *.down_proj=w8 --embedding w8 --out o --dry-run --json",
  "quantize model --preset efficientqat --scheme w2g32 --calibration text.txt --out o --dry-run -q",
  "eval model --text text.txt --window 16 --max-windows 1 --backend reference",
  "eval model --tasks who.jsonl --limit 1 --shots 1 --backend reference --json",
  "compare model model --text text.txt --window 16 --max-windows 1 --backend reference",
  "run model --prompt ab --max-tokens 2 --temperature 0.5 --top-k 3 --top-p 0.9 --seed 1 --backend reference",
  "inspect model --json",
  "export model --format hf --out o2",
  "train --text text.txt --from model --steps 1 --dry-run --out o3",
  "results .",
  "report . --out o4",
  "sweep recipe.yaml --plan --out o5",
  "help quantize",
  "--version",
];

/** A process that is not there: what is written is kept. */
function quietIo(): { io: Io; told: string[] } {
  const told: string[] = [];
  const sink = { write: (text: string) => void told.push(text), columns: 80 };
  const io: Io = {
    stdin: (async function* none() {})(),
    stdout: { write: () => undefined },
    stderr: sink,
    env: { FEWBIT_DEBUG: "1" },
    onInterrupt: () => () => undefined,
    exit: (code) => {
      throw new Error(`ended with ${code}`);
    },
  };
  return { io, told };
}

/** An error as the command line tells it. */
class ToldError extends Error {
  constructor(lines: readonly string[]) {
    super(lines[0]);
    this.stack = lines.join("\n");
  }
}

/** Words of a command line. */
export const commandLine: Kind = {
  id: "command-line",
  title: "words of every command",
  open: async (folder) => {
    const { path } = await writeTinyCheckpoint();
    // A word may become any path below this folder, and nothing outside is written to.
    const place = join(folder, "a", "b", "c", "d");
    mkdirSync(place, { recursive: true });
    copyFolder(path, join(place, "model"));
    writeFileSync(join(place, "text.txt"), readBuiltin("text/held-out.txt").slice(0, 4000));
    copyFileSync(join(builtinFolder, "tasks/who.jsonl"), join(place, "who.jsonl"));
    writeFileSync(join(place, "recipe.yaml"), "name: x\n");
    return async (mutator) => {
      process.chdir(place);
      const words = mutator.pick(commands).split(" ");
      const at = mutator.prng.below(words.length);
      const flags = words.filter((word) => word.startsWith("-"));
      words[at] = mutator.text(words[at], [...hostileTexts, ...flags, "=", "--", "-", ",", "9"]);
      if (mutator.prng.below(4) === 0) words.splice(mutator.prng.below(words.length), 1);
      if (words.some((word) => /^\/|^hf:|=\/|~/.test(word))) return;
      const { io, told } = quietIo();
      await main(words, io);
      const lines = told.join("").split("\n");
      if (lines.some((line) => line.includes("not expected by fewbit"))) throw new ToldError(lines);
    };
  },
};
