import { parsePartName } from "../../../formats/gguf/gguf-parts.ts";
import { checkSpace, resolveTarget } from "../../../run/output/output-directory.ts";
import {
  baseName,
  joinPath,
  listDirectory,
  parentPath,
  realPath,
  remove,
  status,
  syncDirectory,
  writeBeside,
} from "../../../platform/node.ts";
import { UsageError } from "../../../util/errors.ts";

/** Where GGUF files come to stand. */
export interface GgufTarget {
  /** The file that was asked for, absolute; parts have its name and their numbers. */
  readonly path: string;
  /** Files of this name that stand there now: the file itself, or parts. */
  readonly former: readonly string[];
}

/**
 * Checks a place for a GGUF file.
 * @param inputs files that are read
 * @throws UsageError when it is taken, is no name of such a file, or is an input
 */
export async function prepareGgufTarget(
  out: string,
  inputs: readonly string[],
  overwrite: boolean,
): Promise<GgufTarget> {
  const fault = (message: string, hint: string): UsageError =>
    new UsageError(message, { hint, field: "out", value: out });
  if (!out.endsWith(".gguf")) {
    throw fault(`${out} is no name of a GGUF file`, "give `out` a name that ends in .gguf");
  }
  if (parsePartName(baseName(out))) {
    throw fault(
      `${out} is the name of a part of a split file`,
      "name the whole file: the parts get their numbers by themselves",
    );
  }
  const path = await resolveTarget(out);
  if ((await status(path))?.kind === "directory") {
    throw fault(`${path} is a directory`, "choose another `out`");
  }
  const former = await findFormer(path);
  for (const input of inputs) {
    if (!former.includes(await realPath(input))) continue;
    throw fault(`${input} is the model that is exported`, "choose another `out`");
  }
  if (former.length > 0 && !overwrite) {
    const hint = "choose another `out`, or replace it with `overwrite`";
    throw fault(`${former[0]} exists already`, hint);
  }
  return { path, former };
}

/** Lists a file, and the parts of a split file of its name. */
async function findFormer(path: string): Promise<string[]> {
  const folder = parentPath(path);
  const stem = baseName(path).replace(/\.gguf$/, "");
  const names = (await listDirectory(folder)).map(({ name }) => name);
  const found = names.filter(
    (name) => name === baseName(path) || parsePartName(name)?.stem === stem,
  );
  return found.map((name) => joinPath(folder, name));
}

/**
 * Lets `write` make files beside their places; each gets its name when all are whole, the first one
 * last. What stood there before is removed, the first of it before anything gets its name: no set
 * of parts is a mixture.
 */
export async function writeGgufFiles(
  target: GgufTarget,
  paths: readonly string[],
  sizeBytes: number,
  write: (beside: readonly string[]) => Promise<void>,
): Promise<void> {
  const folder = parentPath(target.path);
  await checkSpace(folder, sizeBytes);
  await besideAll(paths, [], async (beside) => {
    await write(beside);
    const isSplit = paths.length > 1 || target.former.length > 1;
    if (isSplit && target.former.length > 0) await remove(target.former[0]);
  });
  for (const old of target.former) if (!paths.includes(old)) await remove(old);
  await syncDirectory(folder);
}

async function besideAll(
  paths: readonly string[],
  beside: readonly string[],
  write: (beside: readonly string[]) => Promise<void>,
): Promise<void> {
  const [next, ...others] = paths;
  if (next === undefined) return write(beside);
  await writeBeside(next, (path) => besideAll(others, [...beside, path], write));
}
