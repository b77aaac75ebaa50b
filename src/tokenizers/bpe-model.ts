import * as z from "zod";
import { FormatError } from "../util/errors.ts";
import { MergeBoundaries } from "./merge-boundaries.ts";
import { type Merges, PairTable } from "./pair-table.ts";
import { VocabularyModel } from "./token-model.ts";
import { byteTokens, readVocabulary, refuseUnknown, vocabularySchema } from "./vocabulary.ts";

type Pair = readonly [left: string, right: string];
type MergeList = readonly (string | Pair)[];

// Checked by hand, see vocabulary.ts.
function isMergeList(value: unknown): value is MergeList {
  if (!Array.isArray(value)) return false;
  return value.every((merge: unknown) => {
    if (typeof merge === "string")
      return merge.startsWith("#version") || merge.split(" ").length === 2;
    return Array.isArray(merge) && merge.length === 2 && merge.every((m) => typeof m === "string");
  });
}

function isRankList(value: unknown): value is readonly number[] {
  return Array.isArray(value) && value.every((rank) => Number.isInteger(rank) && rank >= 0);
}

const emptyIsNone = (text: string | null | undefined): string => text ?? "";

export const bpeOptions = z.looseObject({
  vocab: vocabularySchema,
  merges: z.custom<MergeList>(isMergeList, "expected a list of pairs of tokens"),
  // Training leaves merges out at random; encoding here is the same each time.
  dropout: z.number().min(0).max(1).nullish(),
  unk_token: z.string().nullish(),
  continuing_subword_prefix: z.string().nullish().transform(emptyIsNone),
  end_of_word_suffix: z.string().nullish().transform(emptyIsNone),
  fuse_unk: z.boolean().nullish(),
  byte_fallback: z.boolean().nullish(),
  ignore_merges: z.boolean().nullish(),
  /**
   * fewbit's own: the rank of each merge, where several share one, as in SentencePiece, whose ranks are
   * the scores of tokens. Of merges of one rank the leftmost in the text is made first.
   */
  merge_ranks: z.custom<readonly number[]>(isRankList, "expected a list of ranks").nullish(),
});

/** What `tokenizer.json` says of a byte-pair encoding. */
export type BpeOptions = z.output<typeof bpeOptions>;

/** Byte-pair encoding (Sennrich et al., arXiv 1508.07909): neighbours merge, by rank. */
export class BpeModel extends VocabularyModel {
  private readonly options: BpeOptions;
  private readonly pairs: readonly Pair[];
  private readonly merges: Merges;
  private readonly table: PairTable;
  /** The id that a merge of each rank makes; of several, the last. */
  private readonly made: Int32Array;
  private boundaries: MergeBoundaries | null | undefined;

  constructor(options: BpeOptions, place: string) {
    super(readVocabulary(options.vocab, place), place);
    this.options = options;
    this.pairs = readPairs(options.merges);
    this.merges = this.readMerges(readRanks(options.merge_ranks, this.pairs.length, place));
    this.table = new PairTable(this.merges);
    const { rank, made } = this.merges;
    this.made = new Int32Array(rank.length);
    for (let index = 0; index < rank.length; index++) this.made[rank[index]] = made[index];
  }

  /** Made when it is first asked for: where a pre-tokenizer cuts, nobody asks. */
  get splitFreely(): ((text: string) => Iterable<string>) | null {
    if (this.boundaries === undefined) {
      this.boundaries = MergeBoundaries.of(this.options, this.pairs, this.vocabulary);
    }
    const { boundaries } = this;
    return boundaries && ((text) => boundaries.split(text));
  }

  encode(piece: string): number[] {
    const whole = this.options.ignore_merges ? this.vocabulary.get(piece) : undefined;
    if (whole !== undefined) return [whole];
    return this.merge(this.characterIds(piece));
  }

  /** `rank`: of each merge. */
  private readMerges(rank: Int32Array): Merges {
    const { pairs, vocabulary, place } = this;
    const prefix = this.options.continuing_subword_prefix.length;
    const [left, right, made] = [0, 1, 2].map(() => new Int32Array(pairs.length));
    const idOf = (token: string, index: number): number => {
      const id = vocabulary.get(token);
      if (id !== undefined) return id;
      throw new FormatError(
        `${place}.merges.${index}: the token ${JSON.stringify(token)} is not in the vocabulary`,
      );
    };
    for (let index = 0; index < pairs.length; index++) {
      const [before, after] = pairs[index];
      left[index] = idOf(before, index);
      right[index] = idOf(after, index);
      made[index] = idOf(before + (prefix > 0 ? after.slice(prefix) : after), index);
    }
    return { left, right, made, rank };
  }

  /** Ids of the characters of a piece, before anything is merged. */
  private characterIds(piece: string): number[] {
    const { continuing_subword_prefix: prefix, end_of_word_suffix: suffix } = this.options;
    const { byte_fallback: hasBytes, fuse_unk: fuse, unk_token: unknownToken } = this.options;
    const ids: number[] = [];
    let unknown: number | null = null;
    let at = 0;
    for (const character of piece) {
      const isFirst = at === 0;
      at += character.length;
      const token = (isFirst ? "" : prefix) + character + (at === piece.length ? suffix : "");
      const id = this.vocabulary.get(token);
      const bytes =
        id === undefined && hasBytes ? byteTokens(token, (t) => this.tokenToId(t)) : null;
      if (bytes) ids.push(...bytes);
      else if (id === undefined && typeof unknownToken !== "string") continue;
      else {
        // The id of an unknown character is held back until the next known one.
        if (unknown !== null && !(id === undefined && fuse)) ids.push(unknown);
        unknown = id === undefined ? this.unknownId(character) : null;
        if (id !== undefined) ids.push(id);
      }
    }
    if (unknown !== null) ids.push(unknown);
    return ids;
  }

  private unknownId(character: string): number {
    const token = this.options.unk_token as string;
    return this.vocabulary.get(token) ?? refuseUnknown(character, token, this.place);
  }

  /** Merges neighbours: always the pair of the smallest rank, of several the leftmost. */
  private merge(ids: number[]): number[] {
    if (ids.length < 2) return ids;
    const next = new Int32Array(ids.length);
    const previous = new Int32Array(ids.length);
    for (let i = 0; i < ids.length; i++) {
      next[i] = i + 1 < ids.length ? i + 1 : -1;
      previous[i] = i - 1;
    }
    const { table } = this;
    const merges = this.merges;
    const queue = new MergeQueue(ids.length);
    const consider = (at: number): void => {
      const merge = table.find(ids[at], ids[next[at]]);
      if (merge >= 0) queue.add(merges.rank[merge], at);
    };
    for (let i = 0; i + 1 < ids.length; i++) consider(i);
    for (let top = queue.take(); top !== null; top = queue.take()) {
      const { rank, at } = top;
      const other = ids[at] < 0 ? -1 : next[at];
      const merge = other < 0 ? -1 : table.find(ids[at], ids[other]);
      // What stood there when it was considered may be part of something else by now.
      if (merge < 0 || (merges.rank[merge] !== rank && merges.made[merge] !== this.made[rank])) {
        continue;
      }
      ids[at] = merges.made[merge];
      ids[other] = -1;
      next[at] = next[other];
      if (next[at] >= 0) {
        previous[next[at]] = at;
        consider(at);
      }
      if (previous[at] >= 0) consider(previous[at]);
    }
    let length = 0;
    for (const id of ids) if (id >= 0) ids[length++] = id;
    ids.length = length;
    return ids;
  }
}

function readPairs(merges: MergeList): Pair[] {
  const pairs: Pair[] = [];
  for (const merge of merges) {
    if (typeof merge !== "string") pairs.push(merge);
    else if (!merge.startsWith("#version")) {
      const space = merge.indexOf(" ");
      pairs.push([merge.slice(0, space), merge.slice(space + 1)]);
    }
  }
  return pairs;
}

/** Ranks of merges: their places in the list, unless something else is given. */
function readRanks(
  given: readonly number[] | null | undefined,
  merges: number,
  place: string,
): Int32Array {
  if (!given) return Int32Array.from({ length: merges }, (_, index) => index);
  if (given.length === merges && given.every((rank) => rank < merges))
    return Int32Array.from(given);
  throw new FormatError(
    `${place}.merge_ranks: expected a rank below ${merges} for each of ${merges} merges`,
  );
}

/** A heap of merges that may be made, by rank and place. */
class MergeQueue {
  private readonly heap: number[] = [];
  private readonly places: number;

  constructor(places: number) {
    this.places = places;
  }

  add(rank: number, at: number): void {
    const { heap } = this;
    const value = rank * this.places + at;
    let i = heap.push(value) - 1;
    while (i > 0) {
      const parent = (i - 1) >> 1;
      if (heap[parent] <= value) break;
      heap[i] = heap[parent];
      i = parent;
    }
    heap[i] = value;
  }

  take(): { rank: number; at: number } | null {
    const { heap, places } = this;
    if (heap.length === 0) return null;
    const top = heap[0];
    const value = heap.pop() as number;
    const { length } = heap;
    if (length > 0) {
      let i = 0;
      for (let child = 1; child < length; child = 2 * i + 1) {
        if (child + 1 < length && heap[child + 1] < heap[child]) child++;
        if (heap[child] >= value) break;
        heap[i] = heap[child];
        i = child;
      }
      heap[i] = value;
    }
    return { rank: Math.floor(top / places), at: top % places };
  }
}
