import { runPackageScript } from "../../platform/node.ts";

/*
 * The part of @mlc-ai/web-xgrammar that is used. Its functions are asynchronous only because they
 * wait for the module's start; what its handles do is not, and can therefore be stopped.
 */

/** An object in the module's memory. */
interface Handle {
  delete(): void;
}

/** A vector of numbers in the module's memory. */
interface NumberVector extends Handle {
  size(): number;
  get(index: number): number;
}

/** What compiles grammars for one vocabulary. */
export interface CompilerHandle extends Handle {
  CompileJSONSchema(
    schema: string,
    anyWhitespace: boolean,
    indent: undefined,
    separators: undefined,
    strictMode: boolean,
    mostWhitespace: undefined,
  ): Handle;
  CompileStructuralTag(tag: string): Handle;
}

/** What reading a mask needs of a matcher. */
interface MaskSource {
  readonly handle: { GetNextTokenBitmask(vocabularySize: number): NumberVector };
  readonly vocab_size: number;
}

/** Where a text is in a grammar. */
export interface GrammarMatcher extends MaskSource {
  acceptToken(token: number): boolean;
  isTerminated(): boolean;
  getNextTokenBitmask(this: MaskSource): Promise<Int32Array>;
  dispose(): void;
}

/** A grammar that is ready for use. */
export interface CompiledGrammar {
  readonly handle: Handle;
  dispose(): void;
}

/** The module. */
export interface XGrammar {
  readonly TokenizerInfo: {
    createTokenizerInfo(
      vocabulary: readonly string[],
      kind: "byte_level" | "byte_fallback" | "raw",
      prependSpace: boolean,
      size: number,
      stopTokens: readonly number[],
    ): Promise<object>;
  };
  readonly GrammarCompiler: {
    createGrammarCompiler(info: object): Promise<{ readonly handle: CompilerHandle }>;
  };
  readonly CompiledGrammar: new (handle: Handle) => CompiledGrammar;
  readonly GrammarMatcher: {
    createGrammarMatcher(
      grammar: CompiledGrammar,
      stopTokens: undefined,
      endsWithoutStopToken: boolean,
    ): Promise<GrammarMatcher>;
  };
}

/** Starts the module anew; what it has to say comes to `onLine`. */
export function startXGrammar(onLine: (line: string) => void): XGrammar {
  return runPackageScript("@mlc-ai/web-xgrammar", onLine) as XGrammar;
}
