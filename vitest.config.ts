import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { makeScratch } from "./test/scratch.ts";

const scratch = makeScratch();
process.env["FEWBIT_TEST_SCRATCH"] = scratch;
const compiled = fileURLToPath(new URL("node_modules/.cache/node", import.meta.url));

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "builtin/**/*.test.ts"],
    // Limits for what hangs: how long the rest takes is up to the machine.
    testTimeout: 300_000,
    hookTimeout: 300_000,
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
    globalSetup: "test/scratch.ts",
    // What tests write; and what Node makes of the sources, for the commands that tests start.
    env: { TMPDIR: scratch, NODE_COMPILE_CACHE: compiled },
  },
});
