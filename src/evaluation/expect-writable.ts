import { isWritable, parentPath, status } from "../platform/node.ts";
import { UsageError } from "../util/errors.ts";

/** Makes sure before a long evaluation that a file can be written. @throws UsageError */
export async function expectWritable(path: string | undefined, what: string): Promise<void> {
  if (path === undefined) return;
  const kind = (await status(path))?.kind ?? "file";
  if (kind === "file" && (await isWritable(parentPath(path)))) return;
  throw new UsageError(`${what} cannot be written to ${path}`, {
    hint: "name a file in a folder that is there and can be written to",
  });
}
