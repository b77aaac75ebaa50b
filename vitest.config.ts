import { availableParallelism } from "node:os";
import { join } from "node:path";
import { defineConfig } from "vitest/config";
import { programIn } from "./test/program.ts";
import { makeScratch } from "./test/scratch.ts";

const scratch = makeScratch();
process.env["FEWBIT_TEST_SCRATCH"] = scratch;

/** All tests; and those that `npm run test:thorough` runs on whole products of conditions. */
const all = ["src", "test", "builtin", "apps"].map((folder) => `${folder}/**/*.test.ts`);
const ofProducts = ["methods", "families", "chains"].map(
  (name) => `test/conformance/${name}.test.ts`,
);

export default defineConfig(({ mode }) => ({
  test: {
    include: mode === "thorough" ? ofProducts : all,
    // Limits for what hangs: how long the rest takes is up to the machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
    // All processors; by default one is left free, which of two is half.
    maxWorkers: availableParallelism(),
    // Files of a worker share the modules of src: evaluating them anew took half a second a file.
    isolate: false,
    globalSetup: ["test/scratch.ts", "test/program.ts"],
    // What tests write; the program that they start, and what Node makes of its modules.
    env: {
      TMPDIR: scratch,
      FEWBIT_TEST_PROGRAM: programIn(scratch),
      NODE_COMPILE_CACHE: join(scratch, "compiled"),
      ...(mode === "thorough" && { FEWBIT_FULL_PRODUCTS: "1" }),
    },
  },
}));
