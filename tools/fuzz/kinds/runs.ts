import { createHash } from "node:crypto";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { quantize } from "../../../src/index.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";
import type { Mutator } from "../mutator.ts";
import { copyFolder, readBuiltin } from "./fixtures.ts";

/** Leaves a quantization unfinished, after its first block. */
async function interruptRun(
  start: (signal: AbortSignal) => ReturnType<typeof quantize>,
): Promise<void> {
  const controller = new AbortController();
  const run = start(controller.signal);
  for await (const event of run.events) {
    if (event.type === "block") controller.abort();
  }
  await run.catch(() => undefined);
}

function findJournal(folder: string): string {
  const found = readdirSync(folder, { recursive: true, encoding: "utf8" });
  const journal = found.find((name) => /(^|\/)journal$/.test(name));
  if (journal === undefined) throw new Error("an interrupted run left no journal");
  return join(folder, journal);
}

/** Changes a line and signs it anew, or changes bytes. */
function changeJournal(path: string, mutator: Mutator): void {
  const bytes = new Uint8Array(readFileSync(path));
  if (mutator.prng.below(4) === 0) {
    writeFileSync(path, mutator.bytes(bytes));
    return;
  }
  const lines = new TextDecoder().decode(bytes).trimEnd().split("\n");
  const at = mutator.prng.below(lines.length);
  const json = mutator.json(JSON.parse(lines[at].slice(9)) as unknown).replaceAll("\n", " ");
  const digits = createHash("sha256").update(json).digest("hex").slice(0, 8);
  lines[at] = `${digits} ${json}`;
  writeFileSync(path, `${lines.join("\n")}\n`);
}

/** The journal of an interrupted run, forged: its lines are signed. */
export const journal: Kind = {
  id: "journal",
  title: "journals of interrupted runs",
  open: async (folder) => {
    const { path: model } = await writeTinyCheckpoint();
    const text = join(folder, "text.txt");
    writeFileSync(text, readBuiltin("text/held-out.txt").slice(0, 4000));
    const work = join(folder, "work");
    const start = (signal?: AbortSignal) =>
      quantize(model, {
        method: "gptq",
        scheme: "w4g32",
        calibration: text,
        samples: 2,
        window: 16,
        out: join(work, "out"),
        backend: "reference",
        ...(signal && { signal }),
      });
    const { mkdirSync } = await import("node:fs");
    mkdirSync(work);
    await interruptRun(start);
    const good = join(folder, "good");
    copyFolder(work, good);
    findJournal(good);
    return async (mutator) => {
      copyFolder(good, work);
      changeJournal(findJournal(work), mutator);
      const run = start();
      for await (const _ of run.events);
      await run;
      rmSync(work, { recursive: true });
    };
  },
};
