import { checkTemplate } from "./check-template.ts";
import { ExpressionParser } from "./expression-parser.ts";
import { tokenize } from "./lexer.ts";
import type { Meter } from "./limits.ts";
import type { Body, Expression, MacroDefinition, Parameter, Statement, Target } from "./syntax.ts";
import { TokenStream } from "./token-stream.ts";

const noNames: ReadonlySet<string> = new Set(["true", "false", "none", "True", "False", "None"]);

/** Reads statements. */
class StatementParser {
  private readonly stream: TokenStream;
  private readonly meter: Meter;
  private readonly expressions: ExpressionParser;

  constructor(stream: TokenStream, meter: Meter) {
    this.stream = stream;
    this.meter = meter;
    this.expressions = new ExpressionParser(stream, meter);
  }

  /** Reads text and tags up to one of the tags `ends`, which is left to the caller. */
  body(ends: readonly string[]): Body {
    const { stream } = this;
    const body: Statement[] = [];
    for (;;) {
      if (stream.is("data")) body.push({ type: "data", text: stream.next().text });
      else if (stream.is("printBegin")) {
        stream.next();
        body.push({ type: "print", value: this.expressions.tuple() });
        stream.expect("printEnd");
      } else if (stream.is("blockBegin")) {
        stream.next();
        if (stream.isName(...ends)) return body;
        body.push(...this.meter.deeper(() => this.statement()));
        stream.expect("blockEnd");
      } else if (ends.length === 0) return body;
      else stream.fail(`the template ends, expected ${ends.join(" or ")}`);
    }
  }

  /** Reads the rest of a tag and what stands between it and one of the tags `ends`. */
  private bodyOf(...ends: readonly string[]): Body {
    this.stream.skip("operator", ":");
    this.stream.expect("blockEnd");
    return this.body(ends);
  }

  /** As `bodyOf`, and passes over the name of the tag at its end. */
  private wholeBody(end: string): Body {
    const body = this.bodyOf(end);
    this.stream.next();
    return body;
  }

  private statement(): Statement[] {
    const { stream } = this;
    const { text: tag, line } = stream.expect("name");
    switch (tag) {
      case "set":
        return [this.set()];
      case "if":
        return [this.if()];
      case "for":
        return [this.for()];
      case "macro":
        return [this.macro()];
      case "call":
        return [this.callBlock()];
      case "with":
        return [this.with()];
      case "block":
        return [this.block()];
      case "print":
        return this.print();
      case "filter": {
        const filter = this.expressions.filters(true) ?? stream.fail("expected a filter");
        return [{ type: "filterBlock", filter, body: this.wholeBody("endfilter") }];
      }
      case "generation":
        return [{ type: "generation", body: this.wholeBody("endgeneration") }];
      case "autoescape": {
        const value = this.expressions.expression();
        return [{ type: "autoescape", value, body: this.wholeBody("endautoescape") }];
      }
      case "break":
      case "continue":
        return [{ type: tag }];
      case "include":
      case "import":
      case "from":
      case "extends":
        return [{ type: "load", tag, names: this.loaded(tag) }];
      default:
        return stream.fail(`unknown tag '${tag}'`, line);
    }
  }

  private set(): Statement {
    const target = this.target(true);
    if (this.stream.skip("operator", "=")) {
      return { type: "set", target, value: this.expressions.tuple() };
    }
    const filter = this.expressions.filters(false);
    return { type: "setBlock", target, filter, body: this.wholeBody("endset") };
  }

  private if(): Statement {
    const { stream } = this;
    const branches: (readonly [Expression, Body])[] = [];
    let otherwise: Body = [];
    for (;;) {
      const test = this.expressions.tuple({ conditional: false });
      branches.push([test, this.bodyOf("elif", "else", "endif")]);
      const { text } = stream.next();
      if (text === "elif") continue;
      if (text === "else") otherwise = this.wholeBody("endif");
      return { type: "if", branches, otherwise };
    }
  }

  private for(): Statement {
    const { stream } = this;
    const target = this.target(false, "in");
    stream.expect("name", "in");
    const over = this.expressions.tuple({ conditional: false, end: "recursive" });
    const test = stream.skip("name", "if") ? this.expressions.expression() : null;
    const recursive = stream.skip("name", "recursive");
    const body = this.bodyOf("endfor", "else");
    const otherwise = stream.next().text === "else" ? this.wholeBody("endfor") : [];
    return { type: "for", target, over, test, recursive, body, otherwise };
  }

  private macro(): Statement {
    const name = this.name();
    const parameters = this.parameters();
    return { type: "macro", name, parameters, body: this.wholeBody("endmacro") };
  }

  private callBlock(): Statement {
    const { stream } = this;
    const parameters = stream.isOperator("(") ? this.parameters() : [];
    const call = this.expressions.expression();
    if (call.type !== "call") return stream.fail("expected a call");
    const body = this.wholeBody("endcall");
    const caller: MacroDefinition = { type: "macro", name: null, parameters, body };
    return { type: "callBlock", call, caller };
  }

  private parameters(): Parameter[] {
    const { stream } = this;
    const parameters: Parameter[] = [];
    stream.expect("operator", "(");
    while (!stream.isOperator(")")) {
      if (parameters.length > 0) stream.expect("operator", ",");
      const name = this.name();
      const otherwise = stream.skip("operator", "=") ? this.expressions.expression() : null;
      if (otherwise === null && parameters.at(-1)?.otherwise) {
        stream.fail("a parameter without a default follows one that has a default");
      }
      if (parameters.some((other) => other.name === name)) stream.fail(`'${name}' stands twice`);
      parameters.push({ name, otherwise });
    }
    stream.next();
    return parameters;
  }

  private with(): Statement {
    const { stream } = this;
    const bindings: (readonly [Target, Expression])[] = [];
    while (!stream.is("blockEnd")) {
      if (bindings.length > 0) stream.expect("operator", ",");
      const target = this.target(false);
      stream.expect("operator", "=");
      bindings.push([target, this.expressions.expression()]);
    }
    return { type: "with", bindings, body: this.wholeBody("endwith") };
  }

  private block(): Statement {
    const { stream } = this;
    const name = stream.expect("name").text;
    const scoped = stream.skip("name", "scoped");
    const required = stream.skip("name", "required");
    const body = this.wholeBody("endblock");
    if (
      required &&
      !body.every(
        ({ type, ...rest }) => type === "data" && /^\s*$/.test(Object.values(rest).join("")),
      )
    ) {
      stream.fail("a required block can only hold comments or spaces");
    }
    stream.skip("name", name);
    return { type: "block", name, scoped, required, body };
  }

  private print(): Statement[] {
    const statements: Statement[] = [];
    while (!this.stream.is("blockEnd")) {
      if (statements.length > 0) this.stream.expect("operator", ",");
      statements.push({ type: "print", value: this.expressions.expression() });
    }
    return statements;
  }

  /** Reads what stands behind a tag that takes another template, and returns the names it sets. */
  private loaded(tag: string): string[] {
    const { stream } = this;
    this.expressions.expression();
    const names: string[] = [];
    if (tag === "import") {
      stream.expect("name", "as");
      names.push(this.name());
    }
    if (tag === "from") {
      stream.expect("name", "import");
      do {
        const name = this.name();
        names.push(stream.skip("name", "as") ? this.name() : name);
      } while (stream.skip("operator", ",") && stream.is("name"));
    }
    if (tag === "include" && stream.skip("name", "ignore")) stream.expect("name", "missing");
    if (tag !== "extends" && stream.isName("with", "without")) {
      stream.next();
      stream.expect("name", "context");
    }
    return names;
  }

  private name(): string {
    const { text } = this.stream.expect("name");
    return noNames.has(text) ? this.stream.fail(`can't assign to '${text}'`) : text;
  }

  /** Reads what a value is assigned to, up to the name `end` or what cannot be part of it. */
  private target(namespaces: boolean, end?: string): Target {
    const { stream } = this;
    const items: Target[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) stream.expect("operator", ",");
      const ends =
        stream.is("blockEnd") ||
        stream.isOperator(")") ||
        (end !== undefined && stream.isName(end));
      if (ends) break;
      items.push(this.oneTarget(namespaces));
      if (!stream.isOperator(",")) break;
      isTuple = true;
    }
    if (isTuple) return { type: "targets", items };
    return items[0] ?? stream.fail(`expected an expression, got ${stream.describe()}`);
  }

  private oneTarget(namespaces: boolean): Target {
    const { stream } = this;
    if (!stream.is("name")) return this.asTarget(this.expressions.primary());
    const name = this.name();
    if (!namespaces || !stream.skip("operator", ".")) return { type: "target", name };
    return { type: "namespaceTarget", name, attribute: stream.expect("name").text };
  }

  /** Turns what was read as a tuple in parentheses into targets. */
  private asTarget(expression: Expression): Target {
    if (expression.type === "name") return { type: "target", name: expression.name };
    if (expression.type !== "tuple")
      return this.stream.fail(`can't assign to a ${expression.type}`);
    return { type: "targets", items: expression.items.map((item) => this.asTarget(item)) };
  }
}

/**
 * Reads a template.
 * @throws TemplateFailure (SyntaxError) when it is none
 */
export function parseTemplate(source: string, meter: Meter): Body {
  const body = new StatementParser(new TokenStream(tokenize(source, meter)), meter).body([]);
  checkTemplate(body);
  return body;
}
