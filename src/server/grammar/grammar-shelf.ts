import type { LanguageModel } from "../../runtime/language-model.ts";
import { ModelGrammars } from "./model-grammars.ts";

/** Grammars of all models that are loaded; those of a model go with it. */
export class GrammarShelf {
  private readonly limitMs: number;
  private readonly models = new WeakMap<LanguageModel, ModelGrammars>();

  /** `limitMs`: time that compiling a grammar may take. */
  constructor(limitMs: number) {
    this.limitMs = limitMs;
  }

  /** Returns those of a model. */
  of(model: LanguageModel): ModelGrammars {
    const found = this.models.get(model) ?? new ModelGrammars(model, this.limitMs);
    this.models.set(model, found);
    return found;
  }
}
