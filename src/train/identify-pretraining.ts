import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../formats/checkpoint.ts";
import { openModelFiles } from "../runtime/open-checkpoint.ts";
import { sha256OfFile } from "../platform/node.ts";
import type { TapePrecision } from "../tensor/tape.ts";
import { version } from "../util/version.ts";
import { flatten, identifyCheckpoint, type RunIdentity } from "../run/identity.ts";
import type { TrainConfig } from "./pretrain-config.ts";
import type { TextRecord } from "./pretrain-record.ts";

/** Texts of a training, hashed. */
export interface TrainTexts {
  readonly train: readonly TextRecord[];
  readonly validation: readonly TextRecord[];
}

/** Hashes the texts of a configuration. @throws FormatError when one is missing */
export async function hashTexts({ data, validation }: TrainConfig): Promise<TrainTexts> {
  const hash = async (paths: readonly string[]): Promise<TextRecord[]> => {
    const records: TextRecord[] = [];
    for (const path of paths) records.push({ path, sha256: await sha256OfFile(path) });
    return records;
  };
  return { train: await hash(data.files), validation: await hash(validation?.files ?? []) };
}

/**
 * Gathers what the weights that a training ends with depend on: the program, the kernels, the
 * configuration, the texts, and the tokenizer or model that it begins with. Where files lie does
 * not count, nor how often a state is kept.
 * @throws FormatError when a file is missing
 */
export async function identifyPretraining(
  config: TrainConfig,
  texts: TrainTexts,
  start: { readonly checkpoint: Checkpoint | null; readonly precision: TapePrecision },
  backend: Backend,
): Promise<RunIdentity> {
  const { data, from: _, tokenizer, validation, checkpointEvery: __, ...choices } = config;
  const { files: ___, ...cutting } = data;
  const identity: Record<string, string> = {
    fewbit: version,
    backend: `${backend.id} ${backend.level}`,
    ...flatten("", { ...choices, precision: start.precision, data: cutting }),
  };
  if (validation) {
    const { files: ____, ...measuring } = validation;
    Object.assign(identity, flatten("validation", measuring));
  }
  for (const [what, records] of Object.entries(texts)) {
    for (const [i, { sha256 }] of (records as TextRecord[]).entries()) {
      identity[`${what} text ${i + 1}`] = sha256;
    }
  }
  if (start.checkpoint) Object.assign(identity, await identifyCheckpoint(start.checkpoint));
  if (typeof tokenizer === "string") {
    const files = await openModelFiles(tokenizer);
    for (const name of await files.sidecars()) {
      identity[`tokenizer ${name}`] = await files.hash(name);
    }
  } else if (tokenizer) Object.assign(identity, flatten("tokenizer", tokenizer));
  return identity;
}
