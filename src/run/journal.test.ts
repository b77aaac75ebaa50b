import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { Journal, type WindowEntry } from "./journal.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-journal-"));
});
afterEach(() => fs.rm(folder, { recursive: true, force: true }));

const head = { startedAt: "2026-01-01T00:00:00.000Z", identity: { scheme: "w4g64", über: "ä" } };
const effort = {
  at: head.startedAt,
  elapsedMs: 1,
  processorMs: 3,
  peakMemoryBytes: 2,
  peakAnonymousBytes: null,
};
const entry = (id: number): WindowEntry => ({ type: "window", ids: [id, id + 1], effort });
const at = (): string => path.join(folder, "journal");
const file = (): string => path.join(at(), "journal");

async function write(...ids: number[]): Promise<void> {
  const journal = await Journal.create(at(), head);
  for (const id of ids) await journal.append(entry(id));
  await journal.close();
}

test("what was appended is read again", async () => {
  await write(1, 2);
  const contents = await Journal.read(at());
  expect(contents?.head).toEqual({ type: "run", version: 2, ...head });
  expect(contents?.entries).toEqual([entry(1), entry(2)]);
  expect(contents?.wholeBytes).toBe((await fs.stat(file())).size);
});

test("cut off anywhere, it holds the lines that are whole, and can be continued", async () => {
  await write(1, 2);
  const bytes = await fs.readFile(file());
  const ends = [...bytes.keys()].filter((i) => bytes[i] === 10);
  for (let size = 0; size < bytes.length; size += 41) {
    await fs.writeFile(file(), bytes.subarray(0, size));
    const contents = await Journal.read(at());
    const whole = ends.filter((end) => end < size).length;
    expect(contents?.entries.length ?? -1, `${size} bytes`).toBe(whole - 1);
    if (!contents) continue;
    const journal = await Journal.reopen(at(), contents);
    await journal.append(entry(9));
    await journal.close();
    const after = await Journal.read(at());
    expect(after?.entries).toEqual([entry(1), entry(2)].slice(0, whole - 1).concat(entry(9)));
  }
});

test("a line that was changed, and all after it, do not count", async () => {
  await write(1, 2, 3);
  const bytes = await fs.readFile(file());
  const second = bytes.indexOf(10, bytes.indexOf(10) + 1) + 1;
  bytes[second + 20] ^= 1;
  await fs.writeFile(file(), bytes);
  expect((await Journal.read(at()))?.entries).toEqual([entry(1)]);
});

test("a line that is signed and no line of a journal, and all after it, do not count", async () => {
  const sign = (json: string): string =>
    `${createHash("sha256").update(json).digest("hex").slice(0, 8)} ${json}\n`;
  const forged = [
    "no JSON",
    "null",
    "[]",
    JSON.stringify({ type: "window", ids: ["1"], effort }),
    JSON.stringify({ type: "window", ids: [2 ** 31], effort }),
    JSON.stringify({ type: "window", ids: [1] }),
    JSON.stringify({ type: "part", name: "model.layers.0", effort }),
    JSON.stringify({ type: "constructor", effort }),
    `${"[".repeat(10_000)}${"]".repeat(10_000)}`,
  ];
  await write(1);
  const whole = await fs.readFile(file(), "utf8");
  for (const json of forged) {
    await fs.writeFile(file(), whole + sign(json) + sign(JSON.stringify(entry(2))));
    const contents = await Journal.read(at());
    expect(contents?.entries, json.slice(0, 60)).toEqual([entry(1)]);
    expect(contents?.wholeBytes).toBe(Buffer.byteLength(whole));
  }
  const other = JSON.stringify({ type: "run", version: 2, startedAt: 5, identity: head.identity });
  await fs.writeFile(file(), sign(other));
  expect(await Journal.read(at())).toBeNull();
});

test("an absent journal, zeros, and a journal of another version are none", async () => {
  expect(await Journal.read(at())).toBeNull();
  await fs.mkdir(at());
  for (const text of ["", "\0\0\0\0\0\0\0\0\0\0\0\n", "hello\n"]) {
    await fs.writeFile(file(), text);
    expect(await Journal.read(at())).toBeNull();
  }
});
