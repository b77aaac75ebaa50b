import { status } from "../../platform/node.ts";
import { UsageError } from "../../util/errors.ts";

/**
 * Checks, before any work, that a page may be written.
 * @throws UsageError when something stands there and may not be replaced, or is no file
 */
export async function expectFreeFile(path: string, overwrite: boolean): Promise<void> {
  const found = await status(path);
  if (found === null || (overwrite && found.kind === "file")) return;
  const hint =
    found.kind === "file"
      ? "choose another name, or ask for `overwrite`"
      : "name a file: plan.html";
  throw new UsageError(`${path} exists already`, { hint, field: "page", value: path });
}
