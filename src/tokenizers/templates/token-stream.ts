import { fail } from "./failure.ts";
import type { Token, TokenType } from "./lexer.ts";

/** The tokens of a template, read one after the other. */
export class TokenStream {
  private readonly tokens: readonly Token[];
  private place = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get current(): Token {
    return this.tokens[this.place];
  }

  get following(): Token {
    return this.tokens[Math.min(this.place + 1, this.tokens.length - 1)];
  }

  next(): Token {
    const { current } = this;
    if (current.type !== "end") this.place++;
    return current;
  }

  is(type: TokenType, text?: string): boolean {
    const { current } = this;
    return current.type === type && (text === undefined || current.text === text);
  }

  isName(...names: readonly string[]): boolean {
    return this.current.type === "name" && names.includes(this.current.text);
  }

  isOperator(...operators: readonly string[]): boolean {
    return this.current.type === "operator" && operators.includes(this.current.text);
  }

  skip(type: TokenType, text: string): boolean {
    if (!this.is(type, text)) return false;
    this.next();
    return true;
  }

  /** @throws TemplateFailure (SyntaxError) when another token stands here */
  expect(type: TokenType, text?: string): Token {
    if (!this.is(type, text)) this.fail(`expected ${text ?? type}, got ${this.describe()}`);
    return this.next();
  }

  describe(): string {
    const { type, text } = this.current;
    return text === "" ? type : `'${text}'`;
  }

  fail(message: string, line = this.current.line): never {
    return fail("SyntaxError", `${message} (line ${line})`);
  }
}
