import type { ImageRows, ImageTokens, RowRange } from "../calibration/image-conversations.ts";
import { readFloatRows } from "../formats/read-float-tensor.ts";
import { openSafetensors, type SafetensorsFile } from "../formats/safetensors.ts";
import { imagePlacesOf } from "../models/index.ts";
import type { Recipe } from "../recipe/recipe.ts";
import type { OpenedModel } from "../runtime/load.ts";
import { FormatError, UnsupportedError, UsageError } from "../util/errors.ts";

const field = "calibration.imageEmbeddings";
const rowsPerRead = 1024;

/**
 * A safetensors file with the embeddings of images: a tensor `[tokens, hiddenSize]` of floats for
 * each image, by its name, as the language model gets them. Rows are read as they are asked for.
 */
export class ImageEmbeddings implements ImageRows {
  readonly path: string;
  readonly ranges: ReadonlyMap<string, RowRange>;
  private readonly file: SafetensorsFile;
  private readonly hiddenSize: number;

  private constructor(file: SafetensorsFile, hiddenSize: number) {
    this.path = file.path;
    this.ranges = rangesOf(file, hiddenSize);
    this.file = file;
    this.hiddenSize = hiddenSize;
  }

  /** @throws FormatError when a tensor is no matrix of the model's width */
  static async open(path: string, hiddenSize: number): Promise<ImageEmbeddings> {
    const file = await openSafetensors(path);
    try {
      return new ImageEmbeddings(file, hiddenSize);
    } catch (error) {
      await file.close();
      throw error;
    }
  }

  /**
   * Reads all values once.
   * @throws NumericError when some are not finite; UnsupportedError when they are no floats
   */
  async expectFinite(): Promise<void> {
    for (const [name, { count }] of this.ranges) {
      for (let start = 0; start < count; start += rowsPerRead) {
        await readFloatRows(this.file, name, start, Math.min(count, start + rowsPerRead));
      }
    }
  }

  /** Reads rows, `[count, hiddenSize]`, by their numbers. */
  async read(first: number, count: number): Promise<Float32Array> {
    const rows = new Float32Array(count * this.hiddenSize);
    for (const [name, range] of this.ranges) {
      const start = Math.max(first, range.first);
      const end = Math.min(first + count, range.first + range.count);
      if (start >= end) continue;
      const [from, to] = [start - range.first, end - range.first];
      const found = await readFloatRows(this.file, name, from, to);
      rows.set(found, (start - first) * this.hiddenSize);
    }
    return rows;
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Numbers the rows of all tensors through, in the order of their names. */
function rangesOf({ path, tensors }: SafetensorsFile, hiddenSize: number): Map<string, RowRange> {
  if (tensors.size === 0) throw new FormatError(`${path} has no tensor: expected one an image`);
  const ranges = new Map<string, RowRange>();
  let first = 0;
  for (const name of [...tensors.keys()].sort()) {
    const shape = tensors.get(name)?.shape ?? [];
    const [count = 0, width] = shape;
    if (shape.length !== 2 || count === 0 || width !== hiddenSize) {
      throw new FormatError(
        `${path}: expected the embeddings ${JSON.stringify(name)} of an image to be ` +
          `[tokens, ${hiddenSize}], got [${shape.join(", ")}]`,
        { hint: "store what the projector gives, a tensor for each image" },
      );
    }
    ranges.set(name, { first, count });
    first += count;
  }
  return ranges;
}

type ImageRecipe = NonNullable<Recipe["calibration"]>;

/**
 * Opens the embeddings of images that calibration names, checked; null where it names none.
 * @throws UsageError UnsupportedError when the model takes none
 * @throws FormatError NumericError when they are not what the model reads
 */
export async function openImages(
  opened: Pick<OpenedModel, "config" | "checkpoint" | "architecture">,
  calibration: Pick<ImageRecipe, "imageEmbeddings"> | null,
): Promise<ImageEmbeddings | null> {
  const path = calibration?.imageEmbeddings ?? null;
  if (path === null) return null;
  imageTokenOf(opened, path);
  return ImageEmbeddings.open(path, opened.config.hiddenSize);
}

/** Refuses, before any work, images that the model cannot take. @throws as `openImages` */
export async function expectImages(...asked: Parameters<typeof openImages>): Promise<void> {
  await (await openImages(...asked))?.close();
}

/** Says what stands for images among the tokens of conversations. */
export function imageTokens(
  opened: Parameters<typeof openImages>[0],
  rows: ImageEmbeddings,
): ImageTokens {
  return { token: imageTokenOf(opened, rows.path), rows };
}

function imageTokenOf(
  { checkpoint, architecture }: Parameters<typeof openImages>[0],
  path: string,
): number {
  const places = imagePlacesOf(checkpoint.config);
  const about = { field, value: path };
  if (!places) {
    throw new UsageError(`${architecture} reads no images`, {
      hint: "leave out `imageEmbeddings`",
      ...about,
    });
  }
  if (places.beyondEmbeddings === null) return places.token;
  throw new UnsupportedError(
    `embeddings of images do not calibrate ${architecture}: ${places.beyondEmbeddings}`,
    { hint: "calibrate with text alone: leave out `imageEmbeddings`", ...about },
  );
}

/**
 * Refuses calibration windows with image tokens of which nothing says what they show: a token that
 * the language model never reads in their place would be all that it learns.
 * @throws UsageError
 */
export function expectNoBareImages(
  { checkpoint }: Pick<OpenedModel, "checkpoint">,
  windows: readonly Int32Array[],
): void {
  const token = imagePlacesOf(checkpoint.config)?.token;
  if (token === undefined || !windows.some((window) => window.includes(token))) return;
  throw new UsageError(
    `the calibration text has image tokens (id ${token}), and no embeddings of images are given`,
    {
      hint: "give the embeddings of the images (`imageEmbeddings: FILE`), or text without them",
      field,
    },
  );
}
