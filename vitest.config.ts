import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    include: ["src/**/*.test.ts", "test/**/*.test.ts", "builtin/**/*.test.ts"],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    // What a test waits for comes; how soon is up to the machine.
    expect: { poll: { timeout: 30_000 } },
    pool: "forks",
  },
});
