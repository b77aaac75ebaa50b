import type { Backend } from "../backend/backend.ts";
import type { Checkpoint } from "../formats/checkpoint.ts";
import { openAnyCheckpoint } from "../runtime/open-checkpoint.ts";
import { baseName, openForReading, sha256, sha256OfFile, status } from "../platform/node.ts";
import { version } from "../util/version.ts";
import type { ParsedRecipe, Recipe } from "../recipe/recipe.ts";

/** All that the bytes of a result depend on, by name. Values are strings for people, or hashes. */
export type RunIdentity = Readonly<Record<string, string>>;

/** Something in which two runs differ; `undefined` where one does not have it. */
export interface IdentityDifference {
  readonly name: string;
  readonly before: string | undefined;
  readonly now: string | undefined;
}

const samplePieces = 64;
const samplePieceBytes = 64 * 1024;

/**
 * Gathers what a run's result depends on: the program, the kernels, the settled recipe, the
 * calibration text and the model's files. Where files and activations lie does not count, nor does
 * the number of threads, which changes no result. Texts and small files are hashed whole; weight
 * files by size, time of change and a sample of 4 MB.
 * @throws FormatError when a file is missing
 */
export async function identifyRun(
  checkpoint: Checkpoint,
  recipe: Recipe,
  backend: Backend,
): Promise<RunIdentity> {
  const {
    model: _,
    out: __,
    cacheOnDisk: ___,
    memory: _____,
    allocation: ______,
    calibration,
    finishers,
    imatrix,
    ...choices
  } = recipe;
  const methods = finishers.map(({ data: ____, ...finisher }) => finisher);
  const identity: Record<string, string> = {
    fewbit: version,
    backend: `${backend.id} ${backend.level}`,
    ...flatten("", { ...choices, finishers: methods }),
  };
  if (calibration) Object.assign(identity, await identifyText("calibration", calibration));
  for (const [i, { data }] of recipe.finishers.entries()) {
    if (data) Object.assign(identity, await identifyText(`finisher ${i + 1}`, data));
  }
  if (imatrix !== null) identity.imatrix = await sha256OfFile(imatrix);
  if (recipe.teacher !== null) {
    identity.teacher = await hashCheckpoint(recipe.teacher);
  }
  return { ...identity, ...(await identifyCheckpoint(checkpoint)) };
}

/** Describes a text, whose files are hashed, and how it is cut; `name` is what it is for. */
async function identifyText(
  name: string,
  { files, imageEmbeddings, ...rest }: NonNullable<ParsedRecipe["calibration"]>,
): Promise<RunIdentity> {
  const identity: Record<string, string> = flatten(name, rest);
  if (imageEmbeddings !== null) {
    identity[`${name} image embeddings`] = await sha256OfFile(imageEmbeddings);
  }
  for (const [i, { path, weight }] of files.entries()) {
    identity[`${name} text ${i + 1}`] = await sha256OfFile(path);
    identity[`weight of ${name} text ${i + 1}`] = `${weight}`;
  }
  return identity;
}

/** Hashes all that the files of a checkpoint hold, wherever it lies and whenever it was copied there. */
export async function hashCheckpoint(path: string): Promise<string> {
  const checkpoint = await openAnyCheckpoint(path);
  try {
    return digestOf(await identifyCheckpoint(checkpoint, sha256OfFile));
  } finally {
    await checkpoint.close();
  }
}

/** Describes the files of a checkpoint: small ones by their hash, weight files by `describeFile`. */
export async function identifyCheckpoint(
  checkpoint: Checkpoint,
  describeFile: (path: string) => Promise<string> = sampleFile,
): Promise<RunIdentity> {
  const identity: Record<string, string> = {};
  for (const name of ["config.json", ...(await checkpoint.files.sidecars())]) {
    identity[name] = await checkpoint.files.hash(name);
  }
  const weightFiles = new Set(
    [...checkpoint.tensors.keys()].map((name) => checkpoint.fileOf(name)),
  );
  for (const path of weightFiles) identity[baseName(path)] = await describeFile(path);
  return identity;
}

/** Hashes an identity, in lower-case hexadecimal. */
export function digestOf(identity: RunIdentity): string {
  return sha256(JSON.stringify(Object.entries(identity).sort()));
}

/** Lists in what two runs differ. */
export function compareIdentities(before: RunIdentity, now: RunIdentity): IdentityDifference[] {
  const names = new Set([...Object.keys(before), ...Object.keys(now)]);
  return [...names]
    .map((name) => ({ name, before: before[name], now: now[name] }))
    .filter((difference) => difference.before !== difference.now);
}

/** `{ a: { b: 1 } }` as `{ "a.b": "1" }`; lists become JSON. */
export function flatten(prefix: string, value: object): Record<string, string> {
  const flat: Record<string, string> = {};
  for (const [key, member] of Object.entries(value) as [string, unknown][]) {
    const name = prefix ? `${prefix}.${key}` : key;
    const isObject = typeof member === "object" && member !== null && !Array.isArray(member);
    if (isObject) Object.assign(flat, flatten(name, member));
    else if (member !== undefined) {
      flat[name] = typeof member === "string" ? member : JSON.stringify(member);
    }
  }
  return flat;
}

/** Describes a large file without reading it all: size, time of change, a hash of pieces. */
async function sampleFile(path: string): Promise<string> {
  const file = await openForReading(path);
  try {
    const { sizeBytes } = file;
    const modifiedMs = (await status(path))?.modifiedMs ?? 0;
    const pieces = Math.min(samplePieces, Math.ceil(sizeBytes / samplePieceBytes));
    const sample = new Uint8Array(pieces * samplePieceBytes);
    let filled = 0;
    for (let i = 0; i < pieces; i++) {
      const start =
        pieces === 1 ? 0 : Math.floor((i * (sizeBytes - samplePieceBytes)) / (pieces - 1));
      const piece = sample.subarray(filled, filled + samplePieceBytes);
      filled += await file.read(piece, start);
    }
    return `${sizeBytes} ${modifiedMs} ${sha256(sample.subarray(0, filled))}`;
  } finally {
    await file.close();
  }
}
