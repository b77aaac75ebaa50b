import { baseName, joinPath, parentPath, status } from "../../platform/node.ts";
import { FormatError } from "../../util/errors.ts";
import { formatCount, quoteName } from "../wording.ts";
import { type GgufFile, openGgufFile } from "./gguf-file.ts";

/** Parts that a split file may have; their numbers have five digits. */
const mostParts = 99_999;

/** A part of a split file, by its name. */
interface PartName {
  readonly stem: string;
  /** From 1. */
  readonly number: number;
  readonly count: number;
}

/** Reads `name-00002-of-00003.gguf`; null for every other name. */
export function parsePartName(name: string): PartName | null {
  const found = /^(.*)-(\d{5})-of-(\d{5})\.gguf$/.exec(name);
  if (!found) return null;
  const [number, count] = [Number(found[2]), Number(found[3])];
  return number >= 1 && number <= count ? { stem: found[1], number, count } : null;
}

/** Returns the name of a part, the reverse of `parsePartName`. */
export function formatPartName({ stem, number, count }: PartName): string {
  const digits = (value: number) => String(value).padStart(5, "0");
  return `${stem}-${digits(number)}-of-${digits(count)}.gguf`;
}

/**
 * Opens a GGUF file with the parts that belong to it, whichever of them is named. The first holds
 * the metadata.
 * @throws FormatError when a part is missing or belongs to another file, or two hold one tensor
 * @throws FormatError UnsupportedError as `openGgufFile`
 */
export async function openGgufParts(path: string): Promise<readonly GgufFile[]> {
  const named = await openGgufFile(path);
  const opened = new Map<number, GgufFile>();
  try {
    const count = named.metadata.count("split.count") ?? 1;
    if (count <= 1) return [named];
    const part = expectPart(named, count);
    opened.set(part.number, named);
    for (let number = 1; number <= count; number++) {
      if (number !== part.number) opened.set(number, await openPart(path, { ...part, number }));
    }
    const parts = Array.from({ length: count }, (_, i) => opened.get(i + 1) as GgufFile);
    checkTensors(parts);
    return parts;
  } catch (error) {
    await Promise.all([named, ...opened.values()].map((file) => file.close().catch(() => {})));
    throw error;
  }
}

async function openPart(path: string, part: PartName): Promise<GgufFile> {
  const name = formatPartName(part);
  const file = joinPath(parentPath(path), name);
  if (!(await status(file))) {
    throw new FormatError(`${baseName(path)} is one of ${part.count} parts, ${name} is missing`, {
      hint: `put all parts into ${parentPath(path)}`,
    });
  }
  const opened = await openGgufFile(file);
  try {
    expectPart(opened, part.count);
    return opened;
  } catch (error) {
    await opened.close();
    throw error;
  }
}

/** Checks that the name of a part says what its metadata says. @throws FormatError */
function expectPart(file: GgufFile, count: number): PartName {
  const name = baseName(file.path);
  const part = parsePartName(name);
  const [no, stated] = [file.metadata.count("split.no"), file.metadata.count("split.count")];
  if (count <= mostParts && part?.count === count && stated === count && no === part.number - 1) {
    return part;
  }
  const of = (number: number | null, all: number | null) => `${number ?? "?"} of ${all ?? "?"}`;
  throw new FormatError(
    `${name} calls itself part ${of(no === null ? null : no + 1, stated)}, expected ` +
      `${part ? of(part.number, count) : "a name like model-00001-of-00003.gguf"}`,
    { hint: "parts keep the names that they were made with; download them again" },
  );
}

/** @throws FormatError when tensors are in two parts, or not as many as promised */
function checkTensors(parts: readonly GgufFile[]): void {
  const names = new Set<string>();
  for (const { path, tensors } of parts) {
    for (const name of tensors.keys()) {
      if (names.has(name)) {
        throw new FormatError(`${baseName(path)} and an earlier part both have ${quoteName(name)}`);
      }
      names.add(name);
    }
  }
  const promised = parts[0].metadata.count("split.tensors.count") ?? names.size;
  if (promised === names.size) return;
  throw new FormatError(
    `${baseName(parts[0].path)} promises ${formatCount(promised)} tensors in all parts, they have ` +
      formatCount(names.size),
    { hint: "the parts belong to different files; download them again" },
  );
}
