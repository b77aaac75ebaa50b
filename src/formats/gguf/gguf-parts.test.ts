import { mkdtempSync, rmSync, unlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { ggufBytes, meta } from "../../../test/fixtures/gguf-bytes.ts";
import type { GgufValue } from "./gguf-metadata.ts";
import { formatPartName, openGgufParts, parsePartName } from "./gguf-parts.ts";

let folder = "";
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), "fewbit-parts-"));
});
afterEach(() => rmSync(folder, { recursive: true }));

const at = (number: number) => join(folder, `m-0000${number}-of-00003.gguf`);

function writePart(number: number, name: string, changes: Record<string, GgufValue> = {}): void {
  const metadata = {
    "split.no": { type: "u16", value: number - 1 } as const,
    "split.count": { type: "u16", value: 3 } as const,
    "split.tensors.count": { type: "i32", value: 3 } as const,
    ...(number === 1 && { "general.architecture": meta.string("llama") }),
    ...changes,
  };
  const tensors = [{ name, type: "f32", shape: [number] }];
  writeFileSync(at(number), ggufBytes({ metadata, tensors }));
}

function writeAll(): void {
  for (const number of [1, 2, 3]) writePart(number, `t${number}`);
}

describe("a split file", () => {
  test.each([1, 2, 3])("opens whole when part %i is named", async (number) => {
    writeAll();
    const parts = await openGgufParts(at(number));
    expect(parts.map(({ path }) => path)).toEqual([at(1), at(2), at(3)]);
    expect(parts[0].metadata.string("general.architecture")).toBe("llama");
    expect(parts.flatMap(({ tensors }) => [...tensors.keys()])).toEqual(["t1", "t2", "t3"]);
    for (const part of parts) await part.close();
  });

  test("a missing part is named", async () => {
    writeAll();
    unlinkSync(at(2));
    await expect(openGgufParts(at(3))).rejects.toThrow(/m-00002-of-00003\.gguf is missing/);
  });

  test.each([
    [
      { "split.no": { type: "u16", value: 2 } as const },
      /calls itself part 3 of 3, expected 2 of 3/,
    ],
    [{ "split.count": { type: "u16", value: 9 } as const }, /part 2 of 9/],
    [{ "split.count": meta.string("3") }, /"split.count": expected a number/],
  ])("a part of something else is refused (%#)", async (changes, message) => {
    writeAll();
    writePart(2, "t2", changes);
    await expect(openGgufParts(at(1))).rejects.toThrow(message);
    await expect(openGgufParts(at(2))).rejects.toThrow(/calls itself|expected a number/);
  });

  test("one tensor in two parts, and fewer tensors than promised, are refused", async () => {
    writeAll();
    writePart(3, "t1");
    await expect(openGgufParts(at(1))).rejects.toThrow(/both have "t1"/);
    writePart(3, "t3");
    writePart(1, "t1", { "split.tensors.count": { type: "i32", value: 4 } });
    await expect(openGgufParts(at(2))).rejects.toThrow(/promises 4 tensors.*have 3/);
  });

  test("names of parts are read and written alike", () => {
    const name = "a-b-00002-of-00011.gguf";
    const part = parsePartName(name);
    expect(part).toEqual({ stem: "a-b", number: 2, count: 11 });
    expect(part && formatPartName(part)).toBe(name);
    expect(parsePartName("a-00003-of-00002.gguf")).toBeNull();
    expect(parsePartName("a.gguf")).toBeNull();
  });
});
