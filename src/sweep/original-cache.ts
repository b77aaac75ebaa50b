import type { Backend } from "../backend/backend.ts";
import type { GenerateChoice } from "../evaluation/generation/generation.ts";
import { OriginalContinuations } from "../evaluation/generation/original-continuations.ts";
import { measureTeacher } from "../evaluation/measure-teacher.ts";
import type { TeacherMeasurement } from "../evaluation/teacher-measurement.ts";
import { resolveModel } from "../hub/resolve-model.ts";
import { joinPath, sha256 } from "../platform/node.ts";
import type { LanguageModel } from "../runtime/language-model.ts";
import { load } from "../runtime/load.ts";
import type { PointEvaluation } from "./recipe/sweep-recipe.ts";
import { hashCheckpoint } from "../run/identity.ts";

type EvaluationText = PointEvaluation["texts"][number];

/** Where originals are found, and what they are known by. */
export interface OriginalCacheOptions {
  readonly backend: Backend;
  /** Folder of the hidden states of originals on texts. */
  readonly cache: string;
  /** Hashes of the originals' files by their sources. */
  readonly hashes: ReadonlyMap<string, string>;
}

/**
 * The original of the model at work: loaded once, run on each text once and asked to write once,
 * for all its points.
 */
export class OriginalCache {
  private readonly options: OriginalCacheOptions;
  private held: Original | null = null;

  constructor(options: OriginalCacheOptions) {
    this.options = options;
  }

  /** Returns an original, loaded; the one before it is released. */
  async take(source: string, signal: AbortSignal): Promise<Original> {
    if (this.held?.source === source) return this.held;
    this.release();
    const { backend, cache, hashes } = this.options;
    const resolved = await resolveModel(source, { signal });
    const model = await load(resolved.directory, { ...resolved, backend, signal });
    const hash = hashes.get(source) ?? (await hashCheckpoint(resolved.directory));
    const key = sha256(`${hash} ${backend.id} ${backend.level}`).slice(0, 12);
    this.held = new Original(source, model, joinPath(cache, key));
    return this.held;
  }

  /** Releases the memory of the original. */
  release(): void {
    this.held?.release();
    this.held = null;
  }
}

/** An original that is loaded. */
export class Original {
  readonly source: string;
  readonly model: LanguageModel;
  private readonly prefix: string;
  private readonly measured = new Map<string, TeacherMeasurement>();
  private readonly written = new Map<string, OriginalContinuations>();

  /** `prefix` is what the paths of its files in the cache begin with. */
  constructor(source: string, model: LanguageModel, prefix: string) {
    this.source = source;
    this.model = model;
    this.prefix = prefix;
  }

  /** Returns the measurement of the original on a text, whose file has this hash. */
  async measure(
    { file: text, window, maxWindows, protocol, beyondContext }: EvaluationText,
    textHash: string,
    signal: AbortSignal,
  ): Promise<TeacherMeasurement> {
    const key = sha256(JSON.stringify([textHash, window, maxWindows, protocol])).slice(0, 12);
    const known = this.measured.get(key);
    if (known) return known;
    const statesFile = `${this.prefix}-${key}.safetensors`;
    const choice = { text, window, maxWindows, protocol, beyondContext };
    const measured = await measureTeacher(this.model, { ...choice, statesFile, signal });
    this.measured.set(key, measured);
    return measured;
  }

  /** Returns what the original writes to prompts, of whose file this is the hash. */
  async continuations(
    choice: GenerateChoice,
    promptsHash: string | null,
    signal: AbortSignal,
  ): Promise<OriginalContinuations> {
    const { count, maxTokens, temperature, seed } = choice;
    const parts = [promptsHash, count, maxTokens, temperature, seed];
    const key = sha256(JSON.stringify(parts)).slice(0, 12);
    const known = this.written.get(key);
    if (known) return known;
    const path = `${this.prefix}-${key}.json`;
    const written =
      (await OriginalContinuations.open(path, this.model, choice)) ??
      (await OriginalContinuations.write(this.model, choice, { signal }));
    await written.save(path);
    this.written.set(key, written);
    return written;
  }

  release(): void {
    for (const measured of this.measured.values()) measured.release();
    this.measured.clear();
    for (const written of this.written.values()) written.release();
    this.written.clear();
    this.model.release();
  }
}
