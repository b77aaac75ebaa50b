import type { TrainConfigInput } from "../../train/pretrain-config.ts";
import { formatCommand } from "../../util/shell-command.ts";
import type { CheckpointRecord } from "../results/sweep-results.ts";
import type { ExpandedPoint } from "./expanded-point.ts";
import { reproduceCommand } from "./reproduce-command.ts";

/**
 * Writes what makes the checkpoint of a point on the command line, into a folder of its name;
 * `placeOf` says how paths are written. Null for originals.
 */
export function pointCommand(
  { point, work, given }: Pick<ExpandedPoint, "point" | "work" | "given">,
  placeOf: (path: string) => string,
): string | null {
  const out = folderName(point.label);
  if (given) return recordedCommand(given.run, out);
  if (work.training) return trainCommand(work.training, out, placeOf);
  return work.recipe && reproduceCommand(work.recipe, out, placeOf);
}

/** A name for a folder out of a name for people. */
export function folderName(label: string): string {
  return label.replace(/[^\w.+=-]+/g, "-");
}

/** The command that a record tells of, with the paths that it had then. */
function recordedCommand(run: CheckpointRecord, out: string): string {
  const asRecorded = (path: string): string => path;
  if ("config" in run) return trainCommand(run.config, out, asRecorded);
  return reproduceCommand(run.recipe, run.recipe.out, asRecorded);
}

/** Configurations have more fields than flags: the whole of one stands on the command line. */
function trainCommand(
  { from, ...config }: TrainConfigInput,
  out: string,
  placeOf: (path: string) => string,
): string {
  const { data, validation } = config;
  const placed = (files: readonly string[] = []): string[] => files.map(placeOf);
  const written = {
    ...config,
    data: { ...data, files: placed(data?.files) },
    ...(validation && { validation: { ...validation, files: placed(validation.files) } }),
  };
  const model = from === undefined ? [] : ["--from", placeOf(from)];
  return formatCommand(["fewbit", "train", JSON.stringify(written), ...model, "--out", out]);
}
