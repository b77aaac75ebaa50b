import { existsSync, readdirSync, readFileSync, statSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import {
  type Evaluation,
  evaluate,
  type LanguageModel,
  load,
  measureTeacher,
  type TeacherMeasurement,
} from "../../src/index.ts";
import { describeSizes } from "../../src/evaluation/describe-sizes.ts";
import type { Figures, Made } from "./outcome.ts";
import { keyOf } from "./outcome.ts";

/** Texts to measure on, and how many windows of each. */
export interface TextChoice {
  readonly texts: readonly string[];
  readonly maxWindows: number;
  readonly threads: number;
}

/** How the table calls a text: by its folder and file. */
function textName(path: string): string {
  return join(basename(dirname(path)), basename(path));
}

/** The original, and what it was measured to be on each text. */
export class Original {
  readonly model: LanguageModel;
  private readonly choice: TextChoice;
  private readonly teachers: ReadonlyMap<string, TeacherMeasurement>;

  private constructor(
    model: LanguageModel,
    choice: TextChoice,
    teachers: ReadonlyMap<string, TeacherMeasurement>,
  ) {
    this.model = model;
    this.choice = choice;
    this.teachers = teachers;
  }

  /** Runs the original over the texts, unless `folder` has its states from an earlier time. */
  static async open(path: string, choice: TextChoice, folder: string): Promise<Original> {
    const model = await load(path, { threads: choice.threads });
    const teachers = new Map<string, TeacherMeasurement>();
    for (const text of choice.texts) {
      const key = keyOf([fingerprint(path), readFileSync(text, "utf8"), choice.maxWindows]);
      const statesFile = join(folder, `original-${key}.safetensors`);
      const { maxWindows } = choice;
      teachers.set(text, await measureTeacher(model, { text, maxWindows, statesFile }));
    }
    return new Original(model, choice, teachers);
  }

  /** Measures a checkpoint on each text, beside the original. */
  async measure(path: string): Promise<Figures[]> {
    const model = await load(path, { threads: this.choice.threads });
    try {
      const figures: Figures[] = [];
      for (const text of this.choice.texts) {
        figures.push(figuresOf(text, await this.evaluate(model, text)));
      }
      return figures;
    } finally {
      model.release();
    }
  }

  /** Figures of the original itself. */
  async ownFigures(): Promise<Figures[]> {
    const figures: Figures[] = [];
    for (const text of this.choice.texts) {
      const { original } = await this.evaluate(this.model, text);
      const perplexity = original?.perplexity ?? Number.NaN;
      figures.push({ text: textName(text), perplexity, divergence: null, agreement: null });
    }
    return figures;
  }

  /** Bytes of the original's weight files. */
  get bytes(): number {
    return describeSizes(this.model).sizeBytes;
  }

  /** Bytes of the whole model with these weights in the place of the original ones. */
  bytesWith({ weights, bitsPerWeight }: Made): number {
    const { sizeBytes, linearBytes } = describeSizes(this.model);
    return sizeBytes - linearBytes + (weights * bitsPerWeight) / 8;
  }

  private evaluate(model: LanguageModel, text: string): Promise<Evaluation> {
    const measured = this.teachers.get(text);
    const { maxWindows } = this.choice;
    return evaluate(model, { text, maxWindows, against: this.model, measured, speedTokens: 0 });
  }
}

function figuresOf(text: string, evaluation: Evaluation): Figures {
  const { perplexity, klDivergence, topTokenAgreement: agreement } = evaluation;
  return { text: textName(text), perplexity, divergence: klDivergence?.mean ?? null, agreement };
}

/** What tells one model from another: names, sizes and times of its files. */
export function fingerprint(model: string): unknown {
  if (!existsSync(model)) return model;
  return readdirSync(model).map((name) => {
    const { size, mtimeMs } = statSync(join(model, name));
    return [name, size, mtimeMs];
  });
}
