import { execFile } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, describe, expect, test } from "vitest";
import { nativeAvailability } from "./addon.ts";

const native = nativeAvailability();
const backendFile = new URL("native-backend.ts", import.meta.url).href;
const buildFile = fileURLToPath(new URL("../../../native/build.mjs", import.meta.url));
const folder = mkdtempSync(join(tmpdir(), "fewbit-native-"));
afterAll(() => rmSync(folder, { recursive: true }));

const runFile = promisify(execFile);

/**
 * Runs a module in a process of its own, with `createNativeBackend` and `view` in scope, and with
 * more options of Node.
 */
async function runModule(
  body: string,
  env: Record<string, string> = {},
  options: readonly string[] = [],
): Promise<{ code: number; stdout: string; stderr: string }> {
  const source = `
    import { createNativeBackend, nativeAvailability } from ${JSON.stringify(backendFile)};
    const view = (shape, storage) => ({ dtype: "f32", shape, storage });
    const large = (fill) => view([1500, 1500], new Float32Array(1500 * 1500).fill(fill));
    ${body}`;
  const args = [...options, "--disable-warning=ExperimentalWarning", "--input-type=module"];
  try {
    const { stdout, stderr } = await runFile(process.execPath, [...args, "-e", source], {
      env: { ...process.env, ...env },
      timeout: 250_000,
    });
    return { code: 0, stdout, stderr };
  } catch (error) {
    return error as { code: number; stdout: string; stderr: string };
  }
}

const title = "a process with native kernels";
describe.skipIf(!native.available)(
  native.available ? title : `${title} (skipped: ${native.reason})`,
  () => {
    const levels = native.available ? native.levels : [];

    test.each(levels.map(({ name }) => name))(
      "FEWBIT_LEVEL=%s is used, with FEWBIT_THREADS",
      async (level) => {
        const { stdout } = await runModule(
          `const backend = createNativeBackend();
         const out = view([3], new Float32Array(3));
         backend.kernels.matmul({ ...out, shape: [1, 3] }, view([1, 2], Float32Array.of(1, 2)),
           view([2, 3], Float32Array.of(1, 2, 3, 4, 5, 6)), {});
         const sums = await backend.read(out.storage, "f32", 3);
         console.log(backend.level, backend.threads, sums.join());`,
          { FEWBIT_LEVEL: level, FEWBIT_THREADS: "3" },
        );
        expect(stdout.trim()).toBe(`${level} 3 9,12,15`);
      },
    );

    test("ends by itself when nothing is pending, without close()", async () => {
      const result = await runModule(`createNativeBackend(); console.log("done");`);
      expect(result).toMatchObject({ code: 0, stdout: "done\n" });
    });

    test("stays alive until a wait has been answered", async () => {
      const result = await runModule(
        `const backend = createNativeBackend({ level: "portable" });
         backend.kernels.matmul(large(0), large(1), large(2), {});
         backend.synchronize().then(() => console.log("answered"));`,
      );
      expect(result).toMatchObject({ code: 0, stdout: "answered\n" });
    });

    test("process.exit ends it at once, though work is pending", async () => {
      // How fast the machine is at this moment.
      const begun = performance.now();
      await runModule(`createNativeBackend({ level: "portable" });`);
      const started = performance.now();
      const result = await runModule(
        `const backend = createNativeBackend({ level: "portable" });
         const [out, a, b] = [large(0), large(1), large(2)];
         for (let i = 0; i < 300; i++) backend.kernels.matmul(out, a, b, {});
         backend.synchronize().then(() => console.log("answered"));
         process.exit(7);`,
        {},
        ["--single-threaded"], // a compiler at work can hang process.exit: nodejs/node#54918
      );
      expect(result).toMatchObject({ code: 7, stdout: "", stderr: "" });
      // The work takes a minute where a start takes half a second.
      const took = performance.now() - started;
      expect(took).toBeLessThan(10_000 + 10 * (started - begun));
    });

    test("one that ends while weights are laid out ends in order", async () => {
      const result = await runModule(
        `const backend = createNativeBackend({ level: "portable" });
         const blocks = new Uint8Array(4096 * 128 * 18);
         const weight = { outFeatures: 4096, inFeatures: 4096, format: "q4_0", groupSize: 32, blockColumns: 32 };
         for (let i = 0; i < 16; i++) backend.prepare({ ...weight, blocks, rowBytes: 128 * 18 });`,
      );
      expect(result).toEqual({ code: 0, stdout: "", stderr: "" });
    });

    test("several threads load it, and one may be terminated while it works", async () => {
      const result = await runModule(
        `import { Worker } from "node:worker_threads";
         const source = \`import { createNativeBackend } from ${JSON.stringify(backendFile)};
           import { parentPort } from "node:worker_threads";
           const backend = createNativeBackend({ level: "portable" });
           const large = () => ({ dtype: "f32", shape: [900, 900], storage: new Float32Array(810000) });
           for (let i = 0; i < 100; i++) backend.kernels.matmul(large(), large(), large(), {});
           parentPort.postMessage("working");
           await backend.synchronize();\`;
         const url = new URL("data:text/javascript," + encodeURIComponent(source));
         const workers = [new Worker(url), new Worker(url)];
         await Promise.all(workers.map((worker) => new Promise((resolve) => worker.once("message", resolve))));
         await Promise.all(workers.map((worker) => worker.terminate()));
         const backend = createNativeBackend({ threads: 2 });
         const out = view([1], new Float32Array(1));
         backend.kernels.add(out, out, view([1], Float32Array.of(5)));
         console.log((await backend.read(out.storage, "f32", 1))[0]);`,
      );
      expect(result).toMatchObject({ code: 0, stdout: "5\n" });
    });
  },
);

describe("the build", () => {
  const posix = process.platform !== "win32";
  /** A compiler that writes what it is told to write, and says which call it is. */
  function fakeCompiler(name: string, body: string): string {
    const path = join(folder, name);
    writeFileSync(path, `#!/bin/sh\n${body}\n`, { mode: 0o755 });
    return path;
  }
  const writing = `case "$*" in *--version*) echo "fake 1.0"; exit 0;; esac
    for word; do [ "$last" = -o ] && : > "$word"; last="$word"; done`;

  test.skipIf(!posix)(
    "says what it compiles and that it is done, and nothing when all is current",
    async () => {
      const out = join(folder, "said");
      const env = { ...process.env, CC: fakeCompiler("cc-fake", writing) };
      const build = () => runFile(process.execPath, [buildFile, "--out", out], { env });
      const { stdout, stderr } = await build();
      expect(stderr).toBe("");
      expect(stdout).toMatch(
        /^fewbit: compiling native kernels, \d+ files with cc-fake, \d+ at a time\nfewbit: compiled native kernels in \d+ s\n$/,
      );
      expect(existsSync(join(out, "fewbit.node"))).toBe(true);
      expect((await build()).stdout).toBe("");
    },
  );

  test.skipIf(!posix)("stops at the first file that does not compile, and names it", async () => {
    const out = join(folder, "failed");
    const failing = `${writing}\ncase "$*" in *gemv.c*) exit 1;; esac`;
    const env = { ...process.env, CC: fakeCompiler("cc-failing", failing) };
    const { stdout } = await runFile(process.execPath, [buildFile, "--out", out], { env });
    expect(stdout).toMatch(/no native kernels .*failed on gemv\.c/);
    expect(existsSync(join(out, "fewbit.node"))).toBe(false);
    expect(readdirSync(join(out, "obj", process.arch)).filter((name) => name === "lock")).toEqual(
      [],
    );
  });
});

describe("without a C compiler", () => {
  test("the build says so in one line with the fix, and does not fail the installation", async () => {
    const { stdout, stderr } = await runFile(process.execPath, [buildFile, "--out", folder], {
      env: { ...process.env, CC: "/no/such/compiler" },
    });
    expect(stderr).toBe("");
    expect(stdout.trim().split("\n")).toHaveLength(1);
    expect(stdout).toMatch(/CC=\/no\/such\/compiler does not run.*Install gcc or clang/);
  });

  test("the backend is unavailable for that reason, and tells the fix", async () => {
    const { stdout } = await runModule(
      `const { available, reason } = nativeAvailability();
       try { createNativeBackend(); } catch (error) {
         console.log(JSON.stringify([available, reason, error.name, error.hint]));
       }`,
      { FEWBIT_ADDON: join(folder, "fewbit.node") },
    );
    expect(JSON.parse(stdout)).toEqual([
      false,
      "CC=/no/such/compiler does not run",
      "BackendError",
      expect.stringMatching(/install a C compiler/),
    ]);
  });
});

test("an addon of another version is unavailable, whatever it lacks, and the fix is named", async () => {
  const addon = join(folder, "older.cjs");
  writeFileSync(addon, "exports.allocate = () => null; exports.levels = [];");
  const { stdout } = await runModule("console.log(JSON.stringify(nativeAvailability()))", {
    FEWBIT_ADDON: addon,
  });
  expect(JSON.parse(stdout)).toEqual({
    available: false,
    reason: "the native addon does not fit this version of fewbit: it has no openQueue",
    hint: "build it again with `node native/build.mjs`",
  });
});
