import { execFile } from "node:child_process";
import { readFileSync, truncateSync } from "node:fs";
import * as fs from "node:fs/promises";
import * as os from "node:os";
import * as path from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openSafetensors, type TensorEntry } from "../../src/formats/safetensors.ts";
import { SafetensorsWriter } from "../../src/formats/safetensors-writer.ts";
import {
  createNativeBackend,
  nativeAvailability,
} from "../../src/kernels/native/native-backend.ts";
import { FormatError } from "../../src/util/errors.ts";

const script = fileURLToPath(new URL("../fixtures/shrinking-file.ts", import.meta.url));
const native = nativeAvailability();
const reason = !native.available
  ? native.reason
  : process.platform === "win32"
    ? "files are not mapped on Windows"
    : null;
const title = "tensors of mapped files";

describe.skipIf(reason !== null)(reason === null ? title : `${title} (skipped: ${reason})`, () => {
  let folder = "";
  let file = "";
  beforeAll(async () => {
    createNativeBackend({ threads: 1 }).close(); // registers the mapper
    folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-mapped-"));
    file = path.join(folder, "model.safetensors");
    await writeFile(file);
  });
  afterAll(() => fs.rm(folder, { recursive: true, force: true }));

  test("are equal to the ones that are read, and outlive the file's handle", async () => {
    const opened = await openSafetensors(file);
    const read = [await opened.readAs("codes", "u8"), await opened.readAs("scales", "f16")];
    const mapped = [await opened.viewAs("codes", "u8"), await opened.viewAs("scales", "f16")];
    const empty = await opened.viewAs("empty", "f16");
    await opened.close();
    expect(mapped[0]?.buffer).toBe(mapped[1]?.buffer);
    expect(read[0]?.buffer).not.toBe(mapped[0]?.buffer);
    expect(mapped).toEqual(read);
    expect(empty).toEqual(new Uint16Array(0));
  });

  test("are read where they do not lie at a multiple of their size", async () => {
    const odd = path.join(folder, "odd.safetensors");
    const bytes = await fs.readFile(file);
    const length = bytes.readBigUInt64LE(0);
    const header = Buffer.from(`${bytes.toString("utf8", 8, 8 + Number(length))} `);
    const prefix = Buffer.alloc(8);
    prefix.writeBigUInt64LE(BigInt(header.length));
    await fs.writeFile(odd, Buffer.concat([prefix, header, bytes.subarray(8 + Number(length))]));
    const [expected, opened] = [await openSafetensors(file), await openSafetensors(odd)];
    expect(await opened.viewAs("scales", "f16")).toEqual(await expected.readAs("scales", "f16"));
    await Promise.all([expected.close(), opened.close()]);
  });

  test("may be written without a change of the file", async () => {
    const before = await fs.readFile(file);
    const opened = await openSafetensors(file);
    (await opened.viewAs("codes", "u8")).fill(7);
    await opened.close();
    expect(await fs.readFile(file)).toEqual(before);
  });

  test("of a file that has become shorter are refused", async () => {
    const cut = path.join(folder, "cut.safetensors");
    await writeFile(cut);
    const opened = await openSafetensors(cut);
    truncateSync(cut, opened.sizeBytes - 4096);
    const view = opened.viewAs("codes", "u8");
    await expect(view).rejects.toThrow(FormatError);
    await expect(view).rejects.toThrow(/became shorter while it was read/);
    await opened.close();
    await expect(openSafetensors(cut)).rejects.toThrow(/is truncated/);
  });

  test("of a file that becomes shorter read as zeros, and what is read after that is refused", async () => {
    const shrinking = path.join(folder, "shrinking.safetensors");
    await writeFile(shrinking, 40_000);
    const { stdout } = await promisify(execFile)(process.execPath, [script, shrinking, file]);
    const { ofCut, error, isSame } = JSON.parse(stdout) as Record<string, unknown>;
    expect(ofCut).toEqual([0, 0]);
    expect(error).toMatch(/^FormatError: .*shrinking\.safetensors became shorter/);
    expect(isSame).toBe(true);
  });

  test("of which there are too many are read", async () => {
    const held: Uint8Array[] = [];
    for (let i = 0; i < 1100; i++) {
      const opened = await openSafetensors(file);
      held.push(await opened.viewAs("codes", "u8"));
      await opened.close();
    }
    expect(held.at(-1)).toEqual(held[0]);
  });

  test.skipIf(process.platform !== "linux")(
    "are given back when nobody holds them (counted in /proc, so on Linux only)",
    async () => {
      const lost = path.join(folder, "lost.safetensors");
      await writeFile(lost);
      for (let i = 0; i < 20; i++) {
        const opened = await openSafetensors(lost);
        await opened.viewAs("codes", "u8");
        await opened.close();
      }
      // The engine may still hold on to the one of the last turn.
      for (let i = 0; i < 400 && countMappings(lost) > 1; i++) await collectGarbage();
      expect(countMappings(lost)).toBeLessThanOrEqual(1);
    },
  );
});

async function writeFile(file: string, rows = 300): Promise<void> {
  const entries: TensorEntry[] = [
    { name: "scales", dtype: "f16", shape: [3, 7] },
    { name: "empty", dtype: "f16", shape: [0, 5] },
    { name: "codes", dtype: "u8", shape: [rows, 64] },
  ];
  const writer = await SafetensorsWriter.create(file, entries);
  await writer.write(
    "scales",
    Uint16Array.from({ length: 21 }, (_, i) => i * 991),
  );
  await writer.write(
    "codes",
    Uint8Array.from({ length: rows * 64 }, (_, i) => i * 37),
  );
  await writer.finish();
}

function countMappings(file: string): number {
  const lines = readFileSync("/proc/self/maps", "utf8").split("\n");
  return lines.filter((line) => line.endsWith(file)).length;
}

async function collectGarbage(): Promise<void> {
  setFlagsFromString("--expose-gc");
  (runInNewContext("gc") as () => void)();
  await new Promise((resolve) => setTimeout(resolve, 5));
}
