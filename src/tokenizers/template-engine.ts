/**
 * The parts of `@huggingface/jinja` that fewbit uses, typed here: the declarations that the package
 * brings leave out file extensions, so that Node's module resolution finds none of them.
 */
import * as untyped from "@huggingface/jinja";

/** A parsed template, or a part of one. */
export interface TemplateNode {
  readonly type: string;
}

/** Variables by name. */
export interface TemplateScope {
  set(name: string, value: unknown): unknown;
}

/** What a part of a template evaluates to. */
export interface TemplateValue {
  readonly value: unknown;
}

/** Walks a parsed template; every part is evaluated by `evaluate`. */
export interface TemplateInterpreter {
  run(program: TemplateNode): TemplateValue;
  evaluate(node: TemplateNode | undefined, scope: TemplateScope): TemplateValue;
}

interface TemplateEngine {
  readonly Environment: new () => TemplateScope;
  readonly Interpreter: new (global: TemplateScope) => TemplateInterpreter;
  readonly parse: (tokens: unknown) => TemplateNode;
  readonly tokenize: (
    template: string,
    options: { readonly lstrip_blocks: boolean; readonly trim_blocks: boolean },
  ) => unknown;
}

/** The template engine. */
export const templateEngine: TemplateEngine = untyped as unknown as TemplateEngine;
