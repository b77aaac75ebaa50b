import { joinPath, listDirectory, status } from "../platform/node.ts";
import { FormatError } from "../util/errors.ts";
import { shortValue } from "../util/parse-value.ts";
import { explainMissingWeights } from "./checkpoint-errors.ts";
import { readJsonObject } from "./json-file.ts";
import { isJsonRecord } from "../util/json.ts";
import { openSafetensors, type SafetensorsFile } from "./safetensors.ts";
import { quoteName } from "./wording.ts";

/** Name of the weights of a checkpoint that is not sharded. */
export const singleFileName = "model.safetensors";
/** Name of the file that says which shard holds which tensor. */
export const indexFileName = "model.safetensors.index.json";

/** Weight files of a directory, open. */
export interface WeightFiles {
  readonly files: SafetensorsFile[];
  /** The file that each tensor is taken from, by the tensor's name. */
  readonly owners: Map<string, SafetensorsFile>;
}

/**
 * Opens model.safetensors, or the shards that the index names. Tensors that a shard holds and the
 * index does not list are taken too, as transformers takes them.
 * @throws FormatError when files are missing, truncated or malformed
 */
export async function openWeights(path: string): Promise<WeightFiles> {
  // Programs that write both leave the shards behind; readers take the single file first.
  if (await status(joinPath(path, singleFileName))) {
    const file = await openSafetensors(joinPath(path, singleFileName));
    return { files: [file], owners: new Map([...file.tensors.keys()].map((key) => [key, file])) };
  }
  if (!(await status(joinPath(path, indexFileName)))) throw await explainMissingWeights(path);
  const shardOf = await readShardIndex(joinPath(path, indexFileName));
  const files = new Map<string, SafetensorsFile>();
  const owners = new Map<string, SafetensorsFile>();
  try {
    for (const name of [...new Set(shardOf.values())].sort()) {
      files.set(name, await openShard(path, name));
    }
    for (const [tensor, name] of shardOf) {
      const file = files.get(name);
      if (!file?.tensors.has(tensor)) {
        throw new FormatError(
          `${indexFileName} places ${quoteName(tensor)} in ${name}, which does not hold it`,
          { hint: "the index and the shards belong to different downloads; download them again" },
        );
      }
      owners.set(tensor, file);
    }
    takeUnlisted([...files.values()], owners);
  } catch (error) {
    await Promise.all([...files.values()].map((file) => file.close()));
    throw error;
  }
  return { files: [...files.values()], owners };
}

/** @throws FormatError when two shards hold a tensor that the index does not list */
function takeUnlisted(
  files: readonly SafetensorsFile[],
  owners: Map<string, SafetensorsFile>,
): void {
  const taken = new Map<string, SafetensorsFile>();
  for (const file of files) {
    for (const name of file.tensors.keys()) {
      if (owners.has(name)) continue;
      if (taken.has(name)) {
        throw new FormatError(
          `two shards hold ${quoteName(name)}, and ${indexFileName} does not list it`,
          { hint: "the shards belong to different downloads; download them again" },
        );
      }
      taken.set(name, file);
    }
  }
  for (const [name, file] of taken) owners.set(name, file);
}

/** Lists shards that lie in a directory and are named by no index. */
export async function strayShards(path: string): Promise<string[]> {
  const index = joinPath(path, indexFileName);
  if ((await status(joinPath(path, singleFileName))) || !(await status(index))) return [];
  const listed = new Set((await readShardIndex(index)).values());
  const names = (await listDirectory(path)).map(({ name }) => name);
  return names.filter((name) => /^model-.*\.safetensors$/.test(name) && !listed.has(name)).sort();
}

/** Reads which shard holds which tensor; shards are names of files in the same directory. */
export async function readShardIndex(path: string): Promise<Map<string, string>> {
  const { weight_map: map } = await readJsonObject(path);
  if (!isJsonRecord(map)) throw new FormatError(`${indexFileName} has no weight_map`);
  const shardOf = new Map<string, string>();
  for (const [tensor, file] of Object.entries(map)) {
    // A name with separators could reach any file of the machine, one with controls the terminal.
    if (typeof file !== "string" || !/^[\w.+-][\w.+ -]*\.safetensors$/.test(file)) {
      throw new FormatError(
        `${indexFileName} places ${quoteName(tensor)} in ${shortValue(file)}: ` +
          "expected the name of a .safetensors file in the same folder",
      );
    }
    shardOf.set(tensor, file);
  }
  return shardOf;
}

async function openShard(path: string, name: string): Promise<SafetensorsFile> {
  if (!(await status(joinPath(path, name)))) {
    throw new FormatError(`${path} lacks ${name}, which ${indexFileName} names`, {
      hint: `download ${name} into that folder`,
    });
  }
  return openSafetensors(joinPath(path, name));
}
