import type { Tokenizer } from "../tokenizers/tokenizer.ts";
import { FormatError, UsageError } from "../util/errors.ts";
import { Prng } from "../util/prng.ts";
import { sum } from "../util/sums.ts";
import { type ImageTokens, readImageConversations, rowOfId } from "./image-conversations.ts";
import { readJoinedText } from "./read-joined-text.ts";
import { TokenStream, windowsOf } from "./token-stream.ts";
import { expectWindow } from "./windows.ts";

/** A file of calibration text. */
export interface CalibrationFile {
  /** Text, or JSON with a document a line or an item. */
  readonly path: string;
  /** Share of the windows relative to the other files'. Default 1. */
  readonly weight?: number;
  /** Field of a JSON document that holds the text. Default `text`. */
  readonly field?: string;
}

/** How calibration windows are drawn. */
export interface CalibrationOptions {
  /** Number of windows in all. */
  readonly samples: number;
  /** Tokens a window. */
  readonly window: number;
  /** Seed of a random order. Default 0. */
  readonly seed?: number;
  /** `first`: the first windows of each file (default). `random`: drawn from the whole of it. */
  readonly order?: "first" | "random";
  /** `once`: the start token at the very start of each file (default). `each`: in each window. */
  readonly bos?: "once" | "each";
  /** Take fewer windows when a file has no more. Default false. */
  readonly allowFewer?: boolean;
  /** Which of the model's chat templates writes conversations. Default: the usual one. */
  readonly template?: string;
  /** Images that conversations may show. Default: none. */
  readonly images?: ImageTokens | null;
}

/** Calibration windows, all of the same length. */
export interface CalibrationSet {
  readonly windows: readonly Int32Array[];
  /**
   * One line for the user when there are fewer windows than asked for, or some of their tokens are
   * of images; null otherwise.
   */
  readonly notice: string | null;
}

/**
 * Cuts calibration windows `[window]` (int32 ids) from files. Each file is tokenised once, with the
 * start token at its very start, and cut into non-overlapping windows that may span documents; the
 * remainder is dropped. Windows are never repeated. With several files each gives its share by
 * weight, in the order of the files. For the first windows no more is tokenised than they need. An
 * id below 0 stands for a row of the embeddings of `images` (`rowOfId`); files that show some are
 * tokenised whole, each conversation with a start token.
 * @throws UsageError when a file has too few windows, the options are no sensible numbers, or no
 * window shows an image although there are some
 * @throws FormatError when a file is missing or malformed, or has other images than there are;
 * UnsupportedError for conversations when the model has no chat template
 */
export async function loadCalibration(
  files: readonly CalibrationFile[],
  tokenizer: Tokenizer,
  options: CalibrationOptions,
): Promise<CalibrationSet> {
  const { samples, window: length, order = "first", bos = "once", seed = 0 } = options;
  expectWindow(length, 2);
  const shares = shareSamples(files, samples);
  const prng = new Prng(seed);
  const windows: Int32Array[] = [];
  const said: string[] = [];
  const seen = new Set<string>();
  for (const [i, file] of files.entries()) {
    const { stream, images } = await openStream(file, tokenizer, options);
    for (const name of images) seen.add(name);
    const cut = windowsOf(stream, length, bos === "each" ? tokenizer.startIds : []);
    const share = shares[i];
    const found = order === "first" ? takeFirst(cut, share) : drawWindows([...cut], share, prng);
    if (found.length < share) {
      const have =
        `${file.path} has ${found.length} windows of ${length} tokens ` +
        `(${stream.taken} tokens in all)`;
      if (!options.allowFewer || found.length === 0) throw tooLittle(have, share, found.length);
      said.push(`${have}, ${share} were asked for`);
    }
    windows.push(...found);
  }
  if (options.images) said.push(describeImages(windows, seen, options.images));
  return { windows, notice: said.length > 0 ? said.join("; ") : null };
}

/** The ids of a file, and the names of the images that it shows. */
async function openStream(
  { path, field }: CalibrationFile,
  tokenizer: Tokenizer,
  { bos = "once", template, images }: CalibrationOptions,
): Promise<{ readonly stream: TokenStream; readonly images: Iterable<string> }> {
  const shown =
    images && (await readImageConversations(path, { tokenizer, images, field, template }));
  if (shown) return { stream: new TokenStream(shown.ids), images: shown.seen };
  const { text, needsStart } = await readJoinedText(path, tokenizer, { field, template });
  const once = bos === "once" && needsStart ? tokenizer.startIds : [];
  return { stream: new TokenStream(tokenizer.encodeLazily(text), once), images: [] };
}

/**
 * Says how much of the windows is images.
 * @throws FormatError when no conversation shows an image that has embeddings; UsageError when no
 * window has a part of one
 */
function describeImages(
  windows: readonly Int32Array[],
  seen: ReadonlySet<string>,
  { rows: { path, ranges } }: ImageTokens,
): string {
  const unseen = [...ranges.keys()].filter((name) => !seen.has(name));
  if (unseen.length > 0) {
    const named = unseen.slice(0, 3).map((name) => JSON.stringify(name));
    throw new FormatError(
      `${path}: no conversation shows ${named.join(", ")}` +
        (unseen.length > 3 ? ` and ${unseen.length - 3} more` : ""),
      { hint: 'name the images of a conversation in its field "images", or leave them out' },
    );
  }
  const ids = windows.flatMap((window) => [...window]);
  const ofImages = ids.filter((id) => rowOfId(id) !== null).length;
  if (ofImages > 0) return `${ofImages} of ${ids.length} calibration tokens are of images`;
  throw new UsageError("none of the calibration windows has a token of an image", {
    hint: "use more `samples`, `order: random`, or a file whose first conversations show images",
    field: "calibration.imageEmbeddings",
    value: path,
  });
}

function tooLittle(have: string, share: number, found: number): UsageError {
  const fewer = found > 0 ? "fewer samples (or `allowFewer`)" : "a file with more text";
  return new UsageError(`${have}, and ${share} were asked for; none is used twice`, {
    hint: `give more text, a shorter window, or ${fewer}`,
    field: "calibration.samples",
  });
}

/** Splits `samples` by the files' weights: whole numbers, largest remainders rounded up. */
function shareSamples(files: readonly CalibrationFile[], samples: number): number[] {
  if (files.length === 0) throw new UsageError("expected at least one calibration file, got none");
  if (!Number.isSafeInteger(samples) || samples < 1) {
    throw new UsageError(`expected at least 1 calibration sample, got ${samples}`);
  }
  const weights = files.map((file) => file.weight ?? 1);
  const bad = weights.findIndex((weight) => !(weight > 0 && Number.isFinite(weight)));
  if (bad >= 0) {
    throw new UsageError(`expected a positive weight for ${files[bad].path}, got ${weights[bad]}`);
  }
  const total = sum(weights);
  const exact = weights.map((weight) => (samples * weight) / total);
  const shares = exact.map(Math.floor);
  const remainders = exact
    .map((share, i) => ({ i, rest: share - Math.floor(share) }))
    .sort((a, b) => b.rest - a.rest || a.i - b.i);
  const left = samples - sum(shares);
  for (const { i } of remainders.slice(0, left)) shares[i]++;
  const empty = shares.indexOf(0);
  if (empty >= 0) {
    throw new UsageError(
      `${files[empty].path} would give none of the ${samples} calibration samples`,
      { hint: "ask for more samples, give it a larger weight, or leave it out" },
    );
  }
  return shares;
}

function takeFirst(windows: Iterable<Int32Array>, count: number): Int32Array[] {
  const first: Int32Array[] = [];
  for (const window of windows) {
    first.push(window);
    if (first.length === count) break;
  }
  return first;
}

/** Draws `count` different windows, in the order they are drawn (Fisher and Yates). */
function drawWindows(windows: Int32Array[], count: number, prng: Prng): Int32Array[] {
  const drawn = Math.min(count, windows.length);
  for (let i = 0; i < drawn; i++) {
    const j = i + prng.below(windows.length - i);
    [windows[i], windows[j]] = [windows[j], windows[i]];
  }
  return windows.slice(0, drawn);
}
