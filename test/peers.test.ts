import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { afterAll, beforeAll, describe, expect, test, vi } from "vitest";
import { type Limits, type Order, runMaker } from "../tools/peers/maker-process.ts";
import { chooseMakers, type Maker, makers } from "../tools/peers/maker.ts";
import { Original } from "../tools/peers/measure.ts";
import { outcomeTable } from "../tools/peers/outcome-table.ts";
import { keyOf, type Made, type Outcome, OutcomeStore } from "../tools/peers/outcome.ts";
import { type Plan, Session } from "../tools/peers/session.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-peers-"));
  // No machine has a Python there, and no peer.
  vi.stubEnv("FEWBIT_PYTHON", join(folder, "no-python"));
});
afterAll(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

const made: Made = {
  seconds: 12.5,
  cpuSeconds: 20,
  peakBytes: 1.5e9,
  weights: 1000,
  bitsPerWeight: 4.3125,
  versions: { "auto-round": "0.16.1", torch: "2.13.0" },
  notes: ["a layer fell back"],
};
const outcome: Outcome = {
  maker: "auto-round",
  scheme: "w4g64",
  settings: { iters: 50 },
  startedAt: "2026-11-30T08:00:00.000Z",
  load: 0.25,
  wallSeconds: 20.25,
  made,
  bytes: 2.5e6,
  figures: [{ text: "prose/test.txt", perplexity: 25.5, divergence: 0.25, agreement: 0.75 }],
  error: null,
};

describe("makers are chosen", () => {
  test("all by default but those on request, one by its id, several by its beginning", () => {
    const ids = (...names: string[]) => chooseMakers(names).map(({ id }) => id);
    expect(ids()).not.toContain("auto-round:200");
    expect(ids()).toHaveLength(makers.filter(({ onRequest }) => !onRequest).length);
    expect(ids("auto-round:200", "hqq")).toEqual(["hqq", "auto-round:200"]);
    expect(ids("llmcompressor")).toEqual(["llmcompressor:gptq", "llmcompressor:awq"]);
    expect(ids("fewbit").every((id) => id.startsWith("fewbit/"))).toBe(true);
    expect(() => chooseMakers(["autoround"])).toThrow(/nothing here is called autoround/);
  });

  test("each has a name of its own and a script that is there", () => {
    expect(new Set(makers.map(({ id }) => id)).size).toBe(makers.length);
    for (const { script } of makers) {
      const url = new URL(`../tools/peers/${script}`, import.meta.url);
      expect(readFileSync(url, "utf8")).not.toBe("");
    }
  });
});

describe("outcomes are kept", () => {
  test("what was written is read; what is damaged is refused by name", () => {
    const store = new OutcomeStore(join(folder, "store"));
    expect(store.read("a")).toBeNull();
    store.write("a", outcome);
    expect(store.read("a")).toEqual(outcome);
    writeFileSync(join(folder, "store", "b.json"), JSON.stringify({ ...outcome, load: "low" }));
    expect(() => store.read("b")).toThrow(/b\.json is not the result of a run/);
  });

  test("a key is that of its parts alone", () => {
    expect(keyOf(["a", { bits: 4 }])).toBe(keyOf(["a", { bits: 4 }]));
    expect(keyOf(["a", { bits: 4 }])).not.toBe(keyOf(["a", { bits: 3 }]));
  });
});

describe("the table", () => {
  const text = "prose/test.txt";
  const cells = (line: string | undefined) => line?.split("|").map((cell) => cell.trim());

  test("has figures and costs of what was made", () => {
    const row = { maker: "auto-round", scheme: "w4g64", outcome, missing: null };
    const lines = outcomeTable([row], [text]).split("\n");
    expect(cells(lines[0])).toContain(text);
    expect(cells(lines[2])).toEqual(
      ["", "w4g64", "auto-round", "4.31", "2.500", "25.50", "0.250"].concat(
        ["12.5 s", "20.0 s", "20.3 s", "1.50 GB", "0.3"],
        ["auto-round 0.16.1, torch 2.13.0", ""],
      ),
    );
    expect(lines).toContain("- w4g64 auto-round: a layer fell back");
  });

  test("says what failed and what is not installed, with the reason", () => {
    const error = "ValueError: no (exit code 1)";
    const failed = { ...outcome, made: null, bytes: null, figures: [], error };
    const rows = [
      { maker: "hqq", scheme: "w2g64", outcome: failed, missing: null },
      { maker: "gptqmodel", scheme: "w2g64", outcome: null, missing: "no package gptqmodel" },
    ];
    const lines = outcomeTable(rows, [text]).split("\n");
    expect(cells(lines[2])?.[3]).toBe("failed");
    expect(cells(lines[3])?.[3]).toBe("not there");
    expect(lines).toContain(`- w2g64 hqq: ${error}`);
    expect(lines).toContain("- w2g64 gptqmodel: no package gptqmodel");
  });
});

describe("a process", () => {
  const limits = (minutes: number): Limits => ({
    pythons: join(folder, "pythons"),
    threads: 1,
    minutes,
    memoryGigabytes: 1,
  });

  function run(name: string, code: string, minutes = 1) {
    const script = join(folder, `${name}.mjs`);
    writeFileSync(script, code);
    const maker: Maker = {
      id: name,
      python: null,
      package: null,
      schemes: /./,
      settings: {},
      script: pathToFileURL(script).href,
    };
    const out = join(folder, "models", name);
    const order: Order = {
      model: "m",
      windows: "w",
      scheme: "w4g64",
      settings: { iters: 50 },
      out,
      log: join(folder, "logs", `${name}.log`),
    };
    return runMaker(maker, order, limits(minutes));
  }
  const write = (value: string): string =>
    `import { mkdirSync, writeFileSync } from "node:fs";
     const out = process.argv[process.argv.indexOf("--out") + 1];
     mkdirSync(out, { recursive: true });
     writeFileSync(out + "/made.json", JSON.stringify(${value}));`;

  test("gives what it wrote, and was told its settings", async () => {
    const settings = `process.argv[process.argv.indexOf("--settings") + 1]`;
    const value = `{ ...${JSON.stringify(made)}, notes: [${settings}] }`;
    const ending = await run("good", write(value));
    expect(ending.error).toBeNull();
    expect(ending.made).toEqual({ ...made, notes: ['{"iters":50}'] });
  });

  test.each([
    [
      "throws",
      'console.log("50 %"); throw new TypeError("bits")',
      /^TypeError: bits \(exit code 1\)$/,
    ],
    ["speaks", 'console.log("no luck"); process.exit(3)', /^no luck \(exit code 3\)$/],
    ["mute", "process.exit(2)", /^nothing was said \(exit code 2\)$/],
    ["killed", 'process.kill(process.pid, "SIGKILL")', /killed/],
    ["empty", "", /^no result can be read: .*made\.json/],
    ["odd", write("{ seconds: -1 }"), /^no result can be read: .*seconds/s],
  ])("that %s gives the reason", async (name, code, expected) => {
    const { made: none, error } = await run(name, code);
    expect(none).toBeNull();
    expect(error).toMatch(expected);
  });

  test("that takes too long is stopped", async () => {
    const { error } = await run("late", "setInterval(() => {}, 1000)", 0.001);
    expect(error).toBe("stopped after 0.001 minutes");
  });
});

test("a session makes, measures and keeps; what is kept is not made again", async () => {
  const builtin = (name: string) => fileURLToPath(new URL(`../builtin/${name}`, import.meta.url));
  const texts = { texts: [builtin("text/validation.txt")], maxWindows: 2, threads: 1 };
  const plan: Plan = {
    model: builtin("model"),
    calibration: builtin("text/calibration.txt"),
    samples: 2,
    window: 64,
    schemes: ["w4g64"],
    texts,
    keep: false,
    retryFailed: false,
    out: join(folder, "out"),
    limits: { pythons: folder, threads: 1, minutes: 2, memoryGigabytes: 4 },
  };
  const original = await Original.open(plan.model, texts, folder);
  const session = new Session(plan, original);
  const chosen = chooseMakers(["hqq", "fewbit/rtn"]);
  const said: string[] = [];
  await session.work(chosen, (line) => said.push(line));
  expect(said).toContain("w4g64 fewbit/rtn: done");
  expect(said.join("\n")).toMatch(/w4g64 hqq: .*no package hqq/);
  const read = () => JSON.parse(readFileSync(join(plan.out, "peers.json"), "utf8"));
  const [float, rtn, hqq] = read();
  expect(rtn.outcome.made.bitsPerWeight).toBeCloseTo(4.3125, 2);
  expect(rtn.outcome.bytes).toBeLessThan(float.outcome.bytes);
  expect(rtn.outcome.figures[0].perplexity).toBeGreaterThan(1);
  expect(rtn.outcome.figures[0].divergence).toBeGreaterThan(0);
  expect(hqq).toMatchObject({ maker: "hqq", outcome: null });
  await new Session(plan, original).work(chosen, (line) => said.push(line));
  expect(said.filter((line) => line.includes("fewbit/rtn"))).toHaveLength(2);
  expect(read()[1]).toEqual(rtn);
});
