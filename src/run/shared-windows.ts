import type { TrainingText } from "../calibration/training-text.ts";
import { readJsonObject } from "../formats/json-file.ts";
import type { ModelFiles } from "../formats/model-files.ts";
import { exists, joinPath, makeDirectories, sha256OfFile, writeText } from "../platform/node.ts";
import { parseModelTokenIds } from "../tokenizers/tokenizer-definition.ts";
import type { Recipe } from "../recipe/recipe.ts";
import { digestOf, flatten } from "./identity.ts";

/** Text of a recipe that is tokenised once for many runs. */
export interface SharedText {
  /** Folder that the windows are kept in, under a hash of all that they depend on. */
  readonly folder: string;
  /** Files of the checkpoint whose tokenizer cuts the text. */
  readonly files: ModelFiles;
  readonly calibration: NonNullable<Recipe["calibration"]>;
  readonly seed: number;
  /** Whether answers of conversations are told apart. */
  readonly forTraining: boolean;
}

type Lists = readonly (readonly number[])[];

/** What stands in a file of the folder. */
interface KeptText {
  readonly windows: Lists;
  readonly targets: Lists | null;
  readonly notice: string | null;
}

/** Returns windows that an earlier run kept, or reads them and keeps them for later ones. */
export async function readSharedWindows(
  text: SharedText,
  read: () => Promise<TrainingText>,
): Promise<TrainingText> {
  const path = joinPath(text.folder, `windows-${await identify(text)}.json`);
  const kept = (await exists(path)) ? fromJson(await readJsonObject(path)) : null;
  if (kept) return kept;
  const found = await read();
  await makeDirectories(text.folder);
  await writeText(path, toJson(found));
  return found;
}

async function identify(text: SharedText): Promise<string> {
  const { files, calibration, seed, forTraining } = text;
  const { files: texts, ...rest } = calibration;
  const identity = flatten("calibration", { ...rest, seed, forTraining });
  // Of the configuration only what the tokenizer reads: all checkpoints of a chain cut a text
  // alike.
  const config = await files.json("config.json");
  identity.tokenIds = JSON.stringify(parseModelTokenIds(config));
  for (const name of await files.sidecars()) identity[name] = await files.hash(name);
  for (const [index, { path, weight }] of texts.entries()) {
    identity[`text ${index}`] = `${await sha256OfFile(path)} ${weight}`;
  }
  return digestOf(identity);
}

function toJson({ windows, targets, notice }: TrainingText): string {
  const lists = (rows: readonly Int32Array[]): Lists => rows.map((row) => [...row]);
  const kept: KeptText = { windows: lists(windows), targets: targets && lists(targets), notice };
  return JSON.stringify(kept);
}

/** Null where the file is not what an earlier run kept: the text is read again then. */
function fromJson(value: Readonly<Record<string, unknown>>): TrainingText | null {
  const { windows, targets, notice } = value as unknown as KeptText;
  const areKept = areLists(windows) && (targets === null || areLists(targets));
  if (!areKept || (notice !== null && typeof notice !== "string")) return null;
  const rows = (lists: Lists): Int32Array[] => lists.map((list) => Int32Array.from(list));
  return { windows: rows(windows), targets: targets && rows(targets), notice };
}

function areLists(value: unknown): value is Lists {
  const isList = (list: unknown): boolean =>
    Array.isArray(list) && list.every((id) => Number.isInteger(id));
  return Array.isArray(value) && value.every(isList);
}
