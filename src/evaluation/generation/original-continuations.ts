import { z } from "zod";
import type { EvaluationWindow } from "../../calibration/windows.ts";
import { exists, readText, writeBeside, writeText } from "../../platform/node.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import { FormatError } from "../../util/errors.ts";
import { parseJson } from "../../util/json.ts";
import { parseValue } from "../../util/parse-value.ts";
import { TeacherStates } from "../teacher-states.ts";
import type { GenerateChoice } from "./generation.ts";
import { type OpenedPrompts, openPrompts } from "./open-prompts.ts";
import { type Written, type WriteOptions, writeContinuations } from "./write-continuations.ts";

const keptSchema = z.object({
  promptsSha256: z.string(),
  written: z.array(
    z.object({ ids: z.array(z.int().nonnegative()), text: z.string(), ended: z.boolean() }),
  ),
});

/** What an original wrote, and what it predicts there: made once, for every model made from it. */
export class OriginalContinuations {
  readonly opened: OpenedPrompts;
  readonly written: readonly Written[];
  /** Prompt and continuation, of which the continuation is scored. */
  readonly windows: readonly EvaluationWindow[];
  private readonly teacher: LanguageModel;
  private held: readonly TeacherStates[] | null = null;

  constructor(teacher: LanguageModel, opened: OpenedPrompts, written: readonly Written[]) {
    this.teacher = teacher;
    this.opened = opened;
    this.written = written;
    this.windows = written.map(({ ids }, index) => {
      const all = Int32Array.from([...opened.prompts[index].ids, ...ids]);
      return { ids: all, from: opened.prompts[index].ids.length - 1, to: all.length - 1 };
    });
  }

  /** Lets an original write; its packed weights, if it has any, multiply exactly. */
  static async write(
    teacher: LanguageModel,
    choice: GenerateChoice,
    options: Pick<WriteOptions, "signal" | "onWritten"> = {},
  ): Promise<OriginalContinuations> {
    const opened = await openPrompts(teacher, choice);
    const how = { choice, products: "exact", ...options } as const;
    return new OriginalContinuations(
      teacher,
      opened,
      await writeContinuations(teacher, opened, how),
    );
  }

  /**
   * Reads what `save` wrote of the same prompts, in place of `write`; null when there is none.
   * @throws FormatError when the file is damaged
   */
  static async open(
    path: string,
    teacher: LanguageModel,
    choice: GenerateChoice,
  ): Promise<OriginalContinuations | null> {
    if (!(await exists(path))) return null;
    const opened = await openPrompts(teacher, choice);
    const kept = parseValue(keptSchema, parseJson(await readText(path), path), ({ text }) => {
      return new FormatError(`${path} is malformed: ${text}`, { hint: "remove it" });
    });
    const isSame = kept.promptsSha256 === opened.sha256;
    return isSame ? new OriginalContinuations(teacher, opened, kept.written) : null;
  }

  /** Writes the texts to a file whole or not at all. @throws FewbitError when that fails */
  async save(path: string): Promise<void> {
    const { sha256: promptsSha256 } = this.opened;
    const text = JSON.stringify({ promptsSha256, written: this.written });
    await writeBeside(path, (beside) => writeText(beside, text));
  }

  /** Hidden states of the original on its continuations; they belong to this object. */
  async states(signal?: AbortSignal): Promise<readonly TeacherStates[]> {
    if (this.held) return this.held;
    const states: TeacherStates[] = [];
    // Windows that are run together must be of one length: each is run alone.
    for (const window of this.windows) {
      states.push(await TeacherStates.compute(this.teacher, [window], signal));
    }
    this.held = states;
    return states;
  }

  /** Releases the memory of the hidden states. */
  release(): void {
    for (const states of this.held ?? []) states.release();
    this.held = null;
  }
}
