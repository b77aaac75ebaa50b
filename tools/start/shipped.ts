import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** A checkpoint that took long to make and lies in the repository. */
export interface ShippedCheckpoint {
  readonly name: string;
  readonly bits: number;
  readonly path: string;
  /** The command that makes it again. */
  readonly command: string;
}

/** Reads the list of shipped checkpoints, `checkpoints.json` in their folder; none without a folder. */
export function findShipped(folder: string | null): ShippedCheckpoint[] {
  const list = folder && join(folder, "checkpoints.json");
  if (!list || !existsSync(list)) return [];
  const entries: Omit<ShippedCheckpoint, "path">[] = JSON.parse(readFileSync(list, "utf8"));
  return entries.map((entry) => ({
    ...entry,
    path: join(folder, entry.name.replaceAll(/[ +]/g, "-")),
  }));
}
