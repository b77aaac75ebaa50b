import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { type Database, describeMachine, hostDigits, processMark } from "../../platform/node.ts";
import { DatabaseQueue } from "./database-queue.ts";
import { enrollPoints } from "./enroll-points.ts";
import type { Finished } from "./point-queue.ts";
import { readRecords } from "../results/read-records.ts";
import { openResultsDatabase } from "../results/results-database.ts";

const worker = { fewbit: "0", machine: describeMachine() };

const finished: Finished = {
  result: {
    parameters: 10,
    sizeBytes: 20,
    linearBytes: 15,
    bitsPerWeight: { linear: 4.5, file: 4.7 },
    texts: [
      {
        name: "text.txt",
        sha256: "aa",
        protocol: "windows",
        window: 128,
        windows: 2,
        tokens: 254,
        tokensSha256: "bb",
        perplexity: 7.1,
        interval: { low: 6.9, high: 7.3, level: 0.95 },
        windowLosses: [1.9, 2.1],
        klDivergence: {
          mean: 0.1,
          interval: { low: 0.05, high: 0.15, level: 0.95 },
          percentile99: 0.9,
          percentile99Interval: null,
          maximum: 2,
          windowMeans: [0.08, 0.12],
        },
        topTokenAgreement: 0.93,
      },
    ],
    tasks: [
      {
        name: "piqa",
        sha256: "cc",
        shots: 0,
        items: 3,
        accuracy: { mean: 2 / 3, standardError: 0.3 },
        normalizedAccuracy: null,
        chance: 0.5,
        accuracyAboveChance: 1 / 3,
        right: "101",
        rightNormalized: null,
      },
    ],
    averages: [
      {
        name: "some",
        tasks: ["piqa"],
        accuracy: { mean: 2 / 3, standardError: 0.3 },
        accuracyAboveChance: 1 / 3,
      },
    ],
    tokensPerSecond: 100.25,
    makeMs: 12.5,
    peakMemoryBytes: 1e8,
    evaluationMs: 33,
    backend: { id: "native", level: "AVX2", threads: 1 },
  },
  run: null,
  data: [{ role: "text", name: "text.txt", sha256: "aa" }],
};

let folder = "";
let database: Database;
beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-queue-"));
  database = await openResultsDatabase(join(folder, "results.db"));
  enroll(["a", "b", "c"]);
});
afterEach(() => {
  database.close();
  rmSync(folder, { recursive: true, force: true });
});

const all = new Set(["a", "b", "c"]);
const evaluation = { texts: [], tasks: [], averages: [], speedTokens: 0, kl: true };

function enroll(ids: readonly string[], name = "test", isBusy = false): void {
  enrollPoints(database, {
    name,
    recipe: { ids },
    isBusy,
    retryFailed: false,
    doneElsewhere: [],
    points: ids.map((id) => ({
      point: {
        id,
        model: id === "c" ? "other" : "one",
        label: id,
        method: "rtn",
        preset: null,
        scheme: "w4",
        bits: 4,
        seed: 0,
      },
      work: { model: "m", recipe: null, evaluation },
      command: null,
    })),
  });
}

async function claimed(queue: DatabaseQueue, model: string | null = null) {
  const claim = await queue.claim(worker, model);
  if (!claim) throw new Error("nothing to claim");
  return claim;
}

describe("DatabaseQueue", () => {
  it("hands out each point once, those of the preferred model first", async () => {
    const queue = new DatabaseQueue(database, all);
    expect((await claimed(queue, "other")).point.id).toBe("c");
    expect((await claimed(queue, "other")).point.id).toBe("a");
    expect((await claimed(queue)).point.id).toBe("b");
    expect(await queue.claim(worker, null)).toBeNull();
    expect(await queue.counts()).toEqual({ waiting: 0, running: 3, done: 0, failed: 0 });
  });

  it("hands out no point that the worker's recipe does not have", async () => {
    enroll(["d", "a", "b", "c"]);
    const short = new DatabaseQueue(database, new Set(["a", "b"]));
    expect((await claimed(short)).point.id).toBe("a");
    expect((await claimed(short)).point.id).toBe("b");
    expect(await short.claim(worker, null)).toBeNull();
    expect(await short.counts()).toEqual({ waiting: 0, running: 2, done: 0, failed: 0 });
    expect(short.isDone()).toBe(false);
  });

  it("keeps all of a result", async () => {
    const queue = new DatabaseQueue(database, all);
    expect(await queue.complete(await claimed(queue), finished)).toBe(true);
    const [record] = readRecords(database).points;
    expect(record.result).toEqual(finished.result);
    expect(record).toMatchObject({ status: "done", attempts: 1, error: null, fewbit: "0" });
  });

  it("keeps why a point failed, and hands it out again when asked", async () => {
    const queue = new DatabaseQueue(database, all);
    const failure = { code: "MEMORY", message: "too little", hint: "buy some" };
    await queue.fail(await claimed(queue), failure, true);
    const again = await claimed(queue);
    expect(again).toMatchObject({ point: { id: "a" }, attempt: 2 });
    await queue.fail(again, failure, false);
    const [record] = readRecords(database).points;
    expect(record).toMatchObject({ status: "failed", error: failure, attempts: 2, result: null });
  });

  it("does not count a claim that was released", async () => {
    const queue = new DatabaseQueue(database, all);
    await queue.release(await claimed(queue));
    expect(await claimed(queue)).toMatchObject({ point: { id: "a" }, attempt: 1 });
  });

  it("makes a point wait again whose lease ran out; what its first owner does no longer counts", async () => {
    const slow = new DatabaseQueue(database, all);
    const lost = await claimed(slow);
    database.execute("UPDATE records SET owner = '00000000 1 1', lease_until = 0 WHERE id = 'a'");
    const queue = new DatabaseQueue(database, all);
    const claim = await claimed(queue);
    expect(claim).toMatchObject({ point: { id: "a" }, attempt: 2 });
    expect(await slow.renew(lost)).toBe(false);
    expect(await slow.complete(lost, finished)).toBe(false);
    expect(await slow.fail(lost, { code: "X", message: "x" }, false)).toBe(false);
    expect(await queue.complete(claim, finished)).toBe(true);
  });

  it("waits longer for a process of this machine that is alive, but not for ever", async () => {
    const queue = new DatabaseQueue(database, all);
    const passLeases = (leases: number): void => {
      const passed = leases * queue.leaseMs;
      database.run("UPDATE records SET lease_until = lease_until - ? WHERE id = 'a'", passed);
    };
    await claimed(queue);
    passLeases(2);
    expect((await claimed(queue)).point.id).toBe("b");
    passLeases(10);
    expect(await claimed(queue)).toMatchObject({ point: { id: "a" }, attempt: 2 });
  });

  it("keeps a claim as long as it is renewed", async () => {
    const queue = new DatabaseQueue(database, all);
    const claim = await claimed(queue);
    database.execute("UPDATE records SET lease_until = lease_until - 20 WHERE id = 'a'");
    const before = database.row("SELECT lease_until FROM points WHERE id = 'a'");
    expect(await queue.renew(claim)).toBe(true);
    const after = database.row("SELECT lease_until FROM points WHERE id = 'a'");
    expect(Number(after?.["lease_until"])).toBeGreaterThan(Number(before?.["lease_until"]));
    expect((await claimed(queue)).point.id).toBe("b");
    expect(await queue.complete(claim, finished)).toBe(true);
  });

  it("takes back at once the point of a process that died; after several deaths it has failed", async () => {
    const queue = new DatabaseQueue(database, all);
    const child = spawn("sleep", ["60"]);
    const id = child.pid as number;
    const owner = `${hostDigits()} ${id} ${processMark(id)}`;
    for (let death = 1; death <= 4; death++) {
      const claim = await claimed(queue);
      expect(claim.point.id).toBe("a");
      database.run("UPDATE records SET owner = ? WHERE id = 'a'", owner);
      if (death > 1) continue;
      expect((await claimed(queue)).point.id).toBe("b");
      child.kill("SIGKILL");
      await once(child, "exit");
    }
    expect((await claimed(queue)).point.id).toBe("c");
    const [record] = readRecords(database).points;
    expect(record.error?.message).toBe("the process ended 4 times while it worked on this point");
  });
});

describe("enrollPoints", () => {
  it("keeps points that are there, adds new ones, and no longer shows what the recipe left out", async () => {
    const queue = new DatabaseQueue(database, all);
    await queue.complete(await claimed(queue), finished);
    enroll(["d", "a"]);
    const results = readRecords(database);
    expect(results.points.map(({ point, status }) => `${point.id} ${status}`)).toEqual([
      "d waiting",
      "a done",
    ]);
    expect(database.rows("SELECT id FROM points")).toHaveLength(4);
    enroll(["a", "b"]);
    expect(readRecords(database).points.map(({ point }) => point.id)).toEqual(["a", "b"]);
  });

  it("refuses another sweep's folder, and to take points away from a process at work", () => {
    expect(() => enroll(["x"], "another")).toThrow('holds the results of "test"');
    expect(() => enroll(["a", "b"], "test", true)).toThrow("1 points that this one does not have");
    enroll(["a", "b", "c", "d"], "test", true);
    expect(readRecords(database).points).toHaveLength(4);
  });
});
