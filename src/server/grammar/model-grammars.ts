import { runWithin, TimeIsOver } from "../../platform/node.ts";
import type { LanguageModel } from "../../runtime/language-model.ts";
import type { TokenSpelling } from "../../tokenizers/token-spelling.ts";
import { badRequest } from "../api-error.ts";
import { BlankTokens } from "./blank-tokens.ts";
import { GrammarConstraint } from "./grammar-constraint.ts";
import type { Grammar } from "./grammar.ts";
import {
  type CompiledGrammar,
  type CompilerHandle,
  startXGrammar,
  type XGrammar,
} from "./xgrammar.ts";

/** The module with a compiler for one vocabulary. */
interface Instance {
  readonly module: XGrammar;
  readonly compiler: CompilerHandle;
  readonly blanks: BlankTokens;
  /** What the module said last. */
  readonly said: string[];
  readonly compiled: Map<string, CompiledGrammar>;
}

const mostCompiled = 32;
const longestGrammar = 100_000;

const kinds: Readonly<Record<TokenSpelling, "byte_level" | "byte_fallback" | "raw">> = {
  "byte-level": "byte_level",
  metaspace: "byte_fallback",
  plain: "raw",
};

/** Grammars over the vocabulary of one model. */
export class ModelGrammars {
  private readonly model: LanguageModel;
  private readonly limitMs: number;
  private instance: Promise<Instance> | null = null;

  constructor(model: LanguageModel, limitMs: number) {
    this.model = model;
    this.limitMs = limitMs;
  }

  /**
   * Begins a text of a grammar.
   * @throws ApiError for a schema that is malformed, takes too long, or asks for what is not known
   */
  async constraint(grammar: Grammar): Promise<GrammarConstraint> {
    const instance = await (this.instance ??= this.start());
    const compiled = this.compile(instance, grammar);
    const endsByItself = this.model.tokenizer.eosIds.length === 0;
    const { GrammarMatcher } = instance.module;
    const constraint = new GrammarConstraint(
      await GrammarMatcher.createGrammarMatcher(compiled, undefined, endsByItself),
      instance.blanks,
    );
    if (constraint.mask().some((word) => word !== 0)) return constraint;
    constraint.dispose();
    const reason = "there is no text that it allows";
    throw badRequest(`the schema cannot be followed: ${reason}`, grammar.param, "invalid_schema");
  }

  private async start(): Promise<Instance> {
    const { tokenizer, config } = this.model;
    const said: string[] = [];
    const module = startXGrammar((line) => said.push(line));
    // Special tokens have no text: they belong to no grammar.
    const vocabulary = Array.from({ length: config.vocabularySize }, (_, id) =>
      tokenizer.specialIds.has(id) ? "" : (tokenizer.idToToken(id) ?? ""),
    );
    const kind = kinds[tokenizer.spelling];
    const info = await module.TokenizerInfo.createTokenizerInfo(
      vocabulary,
      kind,
      false,
      vocabulary.length,
      tokenizer.eosIds,
    );
    const { handle } = await module.GrammarCompiler.createGrammarCompiler(info);
    const blanks = new BlankTokens(tokenizer, config.vocabularySize);
    return { module, compiler: handle, blanks, said, compiled: new Map() };
  }

  private compile(instance: Instance, { text, kind, strict, param }: Grammar): CompiledGrammar {
    if (text.length > longestGrammar) {
      const most = `${longestGrammar} characters`;
      throw badRequest(`the schema is longer than ${most}`, param, "invalid_schema");
    }
    const key = `${kind} ${strict} ${text}`;
    const found = instance.compiled.get(key);
    if (found) return found;
    instance.said.length = 0;
    try {
      const { compiler, module } = instance;
      const handle = runWithin(this.limitMs, () =>
        kind === "schema"
          ? compiler.CompileJSONSchema(text, true, undefined, undefined, strict, undefined)
          : compiler.CompileStructuralTag(text),
      );
      const compiled = new module.CompiledGrammar(handle);
      keepOnly(instance.compiled, mostCompiled - 1);
      instance.compiled.set(key, compiled);
      return compiled;
    } catch (error) {
      // What was stopped, or gave up, is not used again; texts that are under way keep theirs.
      this.instance = null;
      const reason =
        error instanceof TimeIsOver
          ? `compiling it takes more than ${this.limitMs / 1000} s`
          : reasonIn(instance.said);
      throw badRequest(`the schema cannot be followed: ${reason}`, param, "invalid_schema");
    }
  }
}

/** Leaves out what was compiled first. */
function keepOnly(compiled: Map<string, CompiledGrammar>, count: number): void {
  for (const [key, grammar] of compiled) {
    if (compiled.size <= count) return;
    compiled.delete(key);
    grammar.dispose();
  }
}

/** `[FATAL] file.cc:961: Check failed: (…) is false: why` without what clients do not know. */
function reasonIn(said: readonly string[]): string {
  const line = said.find((each) => /FATAL|Error|error/.test(each)) ?? "it is not known why";
  return line
    .replace(/^.*?\.(?:cc|h):\d+: /, "")
    .replace(/^Check failed: \(.*?\) is false: /, "")
    .slice(0, 300);
}
