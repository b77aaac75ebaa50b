import { cpSync, existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { bundleProgram } from "../tools/bundle-program.ts";

/* The program that tests start as a process: bundled once a run of the tests. */

const root = fileURLToPath(new URL("..", import.meta.url));

/** What the program finds in its package. */
const besides = ["package.json", "build/fewbit.node", "build/unavailable.txt"];

/** Where the bundled program of a run of the tests lies, given the folder of the run. */
export const programIn = (scratch: string): string =>
  join(scratch, "program", "dist", "cli", "main.js");

/** Bundles the program and its helpers before the run; called by vitest. */
export async function setup(): Promise<void> {
  const scratch = process.env["FEWBIT_TEST_SCRATCH"];
  if (!scratch) throw new Error("FEWBIT_TEST_SCRATCH is not set");
  const folder = join(scratch, "program");
  await bundleProgram({ folder: join(folder, "dist"), whole: true });
  for (const name of besides.filter((each) => existsSync(join(root, each)))) {
    cpSync(join(root, name), join(folder, name));
  }
}
