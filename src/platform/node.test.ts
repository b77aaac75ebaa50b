import { createHash } from "node:crypto";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { FewbitError, FormatError } from "../util/errors.ts";
import * as platform from "./node.ts";

let folder = "";
beforeEach(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-platform-"));
});
afterEach(async () => {
  await fs.rm(folder, { recursive: true, force: true });
});
const at = (name: string): string => path.join(folder, name);

describe("files", () => {
  test("bytes written out of order at positions are read back at positions", async () => {
    const file = await platform.createFile(at("a"));
    await file.write(Uint8Array.of(4, 5, 6), 3);
    await file.write(Uint8Array.of(1, 2, 3), 0);
    await file.sync();
    await file.close();
    const reader = await platform.openForReading(at("a"));
    const middle = new Uint8Array(3);
    expect(await reader.read(middle, 2)).toBe(3);
    expect([...middle]).toEqual([3, 4, 5]);
    expect(reader.sizeBytes).toBe(6);
    await reader.close();
  });

  test("a read across the end of the file says how much there was", async () => {
    await fs.writeFile(at("a"), "hello");
    const reader = await platform.openForReading(at("a"));
    expect(await reader.read(new Uint8Array(10), 3)).toBe(2);
    expect(await reader.read(new Uint8Array(10), 5)).toBe(0);
    await reader.close();
  });

  test("a file beyond 4 GiB is read at its far end", async () => {
    const handle = await fs.open(at("sparse"), "w");
    const size = 5 * 2 ** 30;
    await handle.truncate(size);
    await handle.write(Uint8Array.of(42), 0, 1, size - 1);
    await handle.close();
    const reader = await platform.openForReading(at("sparse"));
    const last = new Uint8Array(2);
    expect(reader.sizeBytes).toBe(size);
    expect(await reader.read(last, size - 2)).toBe(2);
    expect([...last]).toEqual([0, 42]);
    await reader.close();
  });

  test("an existing file is never created over", async () => {
    await fs.writeFile(at("a"), "keep");
    await expect(platform.createFile(at("a"))).rejects.toThrow(/exists already/);
    expect(await fs.readFile(at("a"), "utf8")).toBe("keep");
  });

  test("a missing file is a FormatError that names it, a directory is not a file", async () => {
    await expect(platform.openForReading(at("no"))).rejects.toThrow(FormatError);
    await expect(platform.openForReading(at("no"))).rejects.toThrow(/no: it does not exist/);
    await expect(platform.openForReading(folder)).rejects.toThrow(FewbitError);
  });

  test("text that is not UTF-8 or too long is a FormatError", async () => {
    await fs.writeFile(at("a"), Uint8Array.of(0x66, 0xff));
    await expect(platform.readText(at("a"))).rejects.toThrow(/not UTF-8/);
    await fs.writeFile(at("b"), "four");
    await expect(platform.readText(at("b"), 3)).rejects.toThrow(/more than the 3/);
  });

  test("writeText replaces a file and leaves nothing beside it", async () => {
    await platform.writeText(at("a.json"), "old");
    await platform.writeText(at("a.json"), "né");
    expect(await platform.readText(at("a.json"))).toBe("né");
    expect((await platform.listDirectory(folder)).map((entry) => entry.name)).toEqual(["a.json"]);
  });

  test("a copy has the bytes but not the mode, and never replaces anything", async () => {
    const bytes = new Uint8Array(4 * 1024 * 1024 + 5).map((_, i) => i * 17);
    await fs.writeFile(at("from"), bytes, { mode: 0o400 });
    await platform.copyFile(at("from"), at("to"));
    expect(Buffer.compare(await fs.readFile(at("to")), bytes)).toBe(0);
    expect((await fs.stat(at("to"))).mode & 0o200).toBe(0o200);
    await fs.writeFile(at("empty"), "");
    await platform.copyFile(at("empty"), at("empty2"));
    expect((await fs.stat(at("empty2"))).size).toBe(0);
    await expect(platform.copyFile(at("from"), at("empty"))).rejects.toThrow(/exists already/);
    await platform.syncFile(at("from"));
  });

  test("the hash of a file is the hash of its bytes, across pieces", async () => {
    const bytes = new Uint8Array(4 * 1024 * 1024 + 7).map((_, i) => i * 31);
    await fs.writeFile(at("a"), bytes);
    const expected = createHash("sha256").update(bytes).digest("hex");
    expect(await platform.sha256OfFile(at("a"))).toBe(expected);
    expect(platform.sha256(bytes)).toBe(expected);
  });
});

describe("directories", () => {
  test("status and list follow symbolic links; a dangling link exists but has no status", async () => {
    await fs.writeFile(at("real"), "12345");
    await fs.symlink(at("real"), at("link"));
    await fs.symlink(at("gone"), at("dangling"));
    expect(await platform.status(at("link"))).toMatchObject({ kind: "file", sizeBytes: 5 });
    expect(await platform.status(at("dangling"))).toBeNull();
    expect(await platform.exists(at("dangling"))).toBe(true);
    expect(await platform.exists(at("gone"))).toBe(false);
    expect(await platform.listDirectory(folder)).toEqual([
      { name: "dangling", kind: "other" },
      { name: "link", kind: "file" },
      { name: "real", kind: "file" },
    ]);
  });

  test("isWithin knows the directory itself and what is below, not its siblings", () => {
    expect(platform.isWithin("/a/b", "/a/b")).toBe(true);
    expect(platform.isWithin("/a/b", "/a/b/c")).toBe(true);
    expect(platform.isWithin("/a/b", "/a/bc")).toBe(false);
    expect(platform.isWithin("/a/b", "/a/..b")).toBe(false);
    expect(platform.isWithin("/a/b", "/a/b/..c")).toBe(true);
    expect(platform.isWithin("/a/b", "/a")).toBe(false);
  });

  test("free disk space is a number where the path exists and null where it does not", async () => {
    expect(await platform.freeDiskBytes(folder)).toBeGreaterThan(0);
    expect(await platform.freeDiskBytes(at("no"))).toBeNull();
  });
});

describe("machine", () => {
  test("peak memory is at least what is resident, and this process is alive", () => {
    const before = platform.memoryUsage();
    expect(before.peakResidentBytes).toBeGreaterThanOrEqual(before.residentBytes);
    expect(before.residentBytes).toBeGreaterThan(10_000_000);
    expect(platform.isProcessAlive(platform.processId())).toBe(true);
    expect(platform.isProcessAlive(2 ** 22 + 12345)).toBe(false);
    expect(platform.availableMemoryBytes()).toBeGreaterThan(0);
    expect(platform.describeMachine().cores).toBeGreaterThanOrEqual(1);
  });
});
