import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, existsSync, mkdtempSync, openSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { program } from "./cli-process.ts";
import { holdAt } from "./held-runs.ts";

/*
 * Requests to end, and readers that have gone: a command ends with the code that shells know, says
 * how to resume, and leaves no process behind.
 */

const root = fileURLToPath(new URL("../..", import.meta.url));
const model = join(root, "builtin/model");
const text = join(root, "builtin/text/validation.txt");
const helper = { env: { FEWBIT_THREADS: "1" }, process: "checkpoint-helper" };

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-signals-"));
  writeFileSync(
    join(folder, "sweep.yaml"),
    `name: test
models: [{ id: one, path: ${model} }]
evaluation: { texts: [{ file: ${text}, window: 64, maxWindows: 2 }], speedTokens: 0 }
variants: [{ method: rtn, scheme: w4g32 }]
`,
  );
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const codes = [
  ["SIGINT", 130],
  ["SIGTERM", 143],
  ["SIGHUP", 129],
] as const;

describe("a request to end", () => {
  test.each(codes)(
    "%s: a quantization exits with %i and says how to resume",
    async (name, code) => {
      const out = join(folder, name);
      const args = ["quantize", model, "--method", "rtn", "--scheme", "w4g32", "--out", out];
      const held = await holdAt(args, /^write journal/);
      await held.interrupt(name);
      held.release();
      const stopped = await held.finished;
      expect(stopped.code).toBe(code);
      expect(stopped.stderr).toMatch(/\nstopped {2}.+\n {7}run the same command again to /);
      expect(existsSync(out)).toBe(false);
    },
  );

  test.each(codes)("%s: so does a sweep, whose helper ends too", async (name, code) => {
    const out = join(folder, `sweep-${name}`);
    const args = ["sweep", join(folder, "sweep.yaml"), "--out", out];
    const held = await holdAt(args, /^write /, helper);
    await held.interrupt(name);
    held.release();
    const stopped = await held.finished;
    expect(stopped.code).toBe(code);
    expect(stopped.stderr).toMatch(/stopped {2}1 of 2 points are done and kept\n +run the same/);
  });

  test("a second one ends a sweep at once, and its helper while that still works", async () => {
    const out = join(folder, "twice");
    const args = ["sweep", join(folder, "sweep.yaml"), "--out", out];
    const held = await holdAt(args, /^write /, helper);
    await held.interrupt("SIGTERM");
    held.send("SIGTERM");
    // Standard error is the helper's too: it is closed when both have ended. Nothing is released.
    const stopped = await held.finished;
    expect(stopped.code).toBe(143);
    expect(stopped.stderr).not.toMatch(/\n\s+at |Error/);
  });
});

describe("a reader that has gone", () => {
  /** Runs a command whose stream is closed before anything is written to it. */
  async function withClosed(stream: "stdout" | "stderr", args: readonly string[]) {
    const child = spawn(process.execPath, [program, ...args], {
      stdio: ["ignore", "pipe", "pipe"],
    });
    child[stream].destroy();
    const other = stream === "stdout" ? child.stderr : child.stdout;
    let said = "";
    other.setEncoding("utf8").on("data", (piece: string) => {
      said += piece;
    });
    const [code] = await once(child, "close");
    return { code: code as number | null, said };
  }

  test("of results ends a command quietly", async () => {
    expect(await withClosed("stdout", ["inspect", model])).toEqual({ code: 0, said: "" });
  });

  test.skipIf(!existsSync("/dev/full"))("is not a disk that is full, which is said", async () => {
    const full = openSync("/dev/full", "w");
    const child = spawn(process.execPath, [program, "inspect", model], {
      stdio: ["ignore", full, "pipe"],
    });
    let stderr = "";
    child.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      stderr += piece;
    });
    const [code] = await once(child, "close");
    closeSync(full);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^error {2}cannot write standard output: the disk is full\n {7}free/);
  });

  test("of what is said meanwhile does not end a job", async () => {
    const out = join(folder, "unheard");
    const args = ["quantize", model, "--method", "rtn", "--scheme", "w4g32", "--out", out];
    const { code, said } = await withClosed("stderr", args);
    expect({ code, said }).toMatchObject({ code: 0, said: expect.stringContaining("whole file") });
    expect(existsSync(join(out, "config.json"))).toBe(true);
  });

  test("of a helper's news, that is the process that started it, is no crash", async () => {
    const child = join(folder, "child.ts");
    const platform = new URL("../../src/platform/node.ts", import.meta.url).href;
    writeFileSync(
      child,
      `import { serveParent } from ${JSON.stringify(platform)};
      serveParent(async (_, report) => {
        report("begun");
        // The end of the connection comes while nothing here can notice it.
        Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 300);
        for (let i = 0; i < 1000; i++) report("news".repeat(1000));
      });`,
    );
    const started = fork(child, [], { execArgv: [], stdio: ["ignore", "ignore", "pipe", "ipc"] });
    let stderr = "";
    started.stderr?.setEncoding("utf8").on("data", (piece: string) => {
      stderr += piece;
    });
    started.send({ type: "task", task: null });
    await once(started, "message");
    // Once it is disconnected, no `close` comes any more.
    const ended = [once(started, "exit"), once(started.stderr as Readable, "end")] as const;
    started.disconnect();
    const [[code]] = await Promise.all(ended);
    expect({ code, stderr }).toEqual({ code: 0, stderr: "" });
  });
});
