import type { JsonRecord } from "../util/json.ts";
import {
  createFile,
  exists,
  joinPath,
  makeDirectory,
  openForWriting,
  parentPath,
  readBytes,
  sha256,
  syncDirectory,
  type WritableFile,
} from "../platform/node.ts";
import { parseJson } from "../util/json.ts";
import type { RunIdentity } from "./identity.ts";
import { entrySchema, headSchema } from "./journal-schema.ts";
import type { Effort } from "./run-clock.ts";
import type {
  BlockRecord,
  VocabularyTableRecord,
  LinearRecord,
  Resumption,
  TransformRecord,
} from "./run-record.ts";

/** Version of the journal's lines; a journal of another one is of another program. */
const journalVersion = 2;
const fileName = "journal";
const newline = 10;

/** First line: what run this is. */
export interface JournalHead {
  readonly type: "run";
  readonly version: number;
  readonly startedAt: string;
  readonly identity: RunIdentity;
}

/** A calibration window that the model wrote itself. */
export interface WindowEntry {
  readonly type: "window";
  readonly ids: readonly number[];
  readonly effort: Effort;
}

/** A part of the model, such as a block, whose tensors are written and durable. */
export interface PartEntry {
  readonly type: "part";
  /** Name in the checkpoint, such as `model.layers.3`. */
  readonly name: string;
  readonly transforms: readonly TransformRecord[];
  readonly linears: readonly LinearRecord[];
  readonly blocks: readonly BlockRecord[];
  readonly ends: readonly VocabularyTableRecord[];
  /** Quantized modules as `quantization_config` describes them. */
  readonly modules: JsonRecord;
  /** SHA-256 of every tensor that was written, by name. */
  readonly tensors: Readonly<Record<string, string>>;
  /** SHA-256 of some of what the part gives to the next one; null where nothing flows. */
  readonly outputs: string | null;
  readonly effort: Effort;
}

/** A state of the training of a whole model is safe. */
export interface StateEntry {
  readonly type: "state";
  /** Steps that were done. */
  readonly step: number;
  readonly effort: Effort;
}

/** The run was resumed. */
export interface ResumedEntry extends Resumption {
  readonly type: "resumed";
  readonly effort: Effort;
}

/** A line of the journal after the first. */
export type JournalEntry = WindowEntry | PartEntry | StateEntry | ResumedEntry;

/** A journal as it was read. */
export interface JournalContents {
  readonly head: JournalHead;
  readonly entries: readonly JournalEntry[];
  /** Bytes of the lines that are whole; what follows was cut off while it was written. */
  readonly wholeBytes: number;
}

/**
 * The journal of a run: a line for everything that need not be done again, durable before `append`
 * returns. A line is a JSON document after eight digits of its SHA-256, so that one that was cut
 * off, and whatever follows it, is never taken for whole; nor is one that somebody else wrote and
 * that is no such line.
 */
export class Journal {
  private readonly file: WritableFile;
  private position: number;

  private constructor(file: WritableFile, position: number) {
    this.file = file;
    this.position = position;
  }

  /** Starts the journal of a new run in a folder that must not exist yet. */
  static async create(path: string, head: Omit<JournalHead, "type" | "version">): Promise<Journal> {
    await makeDirectory(path);
    const journal = new Journal(await createFile(joinPath(path, fileName)), 0);
    await journal.writeLine({ type: "run", version: journalVersion, ...head });
    for (const folder of [path, parentPath(path), parentPath(parentPath(path))]) {
      await syncDirectory(folder);
    }
    return journal;
  }

  /** Reads a journal; null when there is none, or no whole first line. */
  static async read(path: string): Promise<JournalContents | null> {
    const file = joinPath(path, fileName);
    if (!(await exists(file))) return null;
    const lines = wholeLines(await readBytes(file));
    const [first, ...rest] = lines.map(({ value }) => value);
    if (!isHead(first)) return null;
    const wholeBytes = lines.reduce((sum, { bytes }) => sum + bytes, 0);
    return { head: first, entries: rest as JournalEntry[], wholeBytes };
  }

  /** Continues a journal, after its whole lines. */
  static async reopen(path: string, { wholeBytes }: JournalContents): Promise<Journal> {
    const file = await openForWriting(joinPath(path, fileName));
    await file.resize(wholeBytes);
    return new Journal(file, wholeBytes);
  }

  /** Adds a line. What it speaks of must be durable already. */
  async append(entry: JournalEntry): Promise<void> {
    await this.writeLine(entry);
  }

  async close(): Promise<void> {
    await this.file.close();
  }

  private async writeLine(value: JournalHead | JournalEntry): Promise<void> {
    const encoder = new TextEncoder();
    const json = encoder.encode(JSON.stringify(value));
    const bytes = new Uint8Array(json.length + 10);
    bytes.set(encoder.encode(`${digitsOf(json)} `), 0);
    bytes.set(json, 9);
    bytes[bytes.length - 1] = newline;
    await this.file.write(bytes, this.position);
    await this.file.sync();
    this.position += bytes.length;
  }
}

function isHead(value: unknown): value is JournalHead {
  const head = value as Partial<JournalHead> | undefined;
  return head?.type === "run" && head.version === journalVersion;
}

function digitsOf(json: Uint8Array): string {
  return sha256(json).slice(0, 8);
}

/** The lines from the start on that are whole, signed, and what a line can be. */
function wholeLines(bytes: Uint8Array): { value: unknown; bytes: number }[] {
  const lines: { value: unknown; bytes: number }[] = [];
  const decoder = new TextDecoder();
  for (let start = 0; ; ) {
    const end = bytes.indexOf(newline, start);
    const digits = decoder.decode(bytes.subarray(start, start + 8));
    const json = bytes.subarray(start + 9, end);
    if (end < start + 9 || digits !== digitsOf(json)) return lines;
    const value = documentOf(decoder.decode(json));
    const schema = lines.length === 0 ? headSchema : entrySchema;
    if (!schema.safeParse(value).success) return lines;
    lines.push({ value, bytes: end + 1 - start });
    start = end + 1;
  }
}

function documentOf(json: string): unknown {
  try {
    return parseJson(json, "a line of the journal");
  } catch {
    return undefined;
  }
}
