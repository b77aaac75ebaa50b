import type { Meter } from "./limits.ts";
import type { BinaryOperator } from "./operators.ts";
import type {
  CallArguments,
  CallExpression,
  ComparisonOperator,
  Expression,
  FilterExpression,
} from "./syntax.ts";
import type { TokenStream } from "./token-stream.ts";

const noArguments: CallArguments = { positional: [], named: [], rest: null, namedRest: null };
const constants = new Map<string, boolean | null>([
  ["true", true],
  ["True", true],
  ["false", false],
  ["False", false],
  ["none", null],
  ["None", null],
]);
const comparisons: ReadonlySet<string> = new Set(["==", "!=", "<", "<=", ">", ">="]);

/** How a tuple without parentheses is read. */
export interface TupleOptions {
  /** Name in front of which it ends, besides the end of a tag or parenthesis. */
  readonly end?: string;
  /** Whether `a if b else c` may stand in it. Default true. */
  readonly conditional?: boolean;
  /** Whether it stands in parentheses, and so may be empty. Default false. */
  readonly parenthesized?: boolean;
}

/** Reads expressions, from the loosest operator to the tightest, as Jinja's grammar has them. */
export class ExpressionParser {
  private readonly stream: TokenStream;
  private readonly meter: Meter;

  constructor(stream: TokenStream, meter: Meter) {
    this.stream = stream;
    this.meter = meter;
  }

  expression(conditional = true): Expression {
    return this.meter.deeper(() => (conditional ? this.conditional() : this.or()));
  }

  /** Reads one expression, or a tuple where commas stand between several. */
  tuple({ end, conditional = true, parenthesized = false }: TupleOptions = {}): Expression {
    const { stream } = this;
    const items: Expression[] = [];
    let isTuple = false;
    for (;;) {
      if (items.length > 0) stream.expect("operator", ",");
      if (this.isTupleEnd(end)) break;
      items.push(this.expression(conditional));
      if (!stream.isOperator(",")) break;
      isTuple = true;
    }
    if (!isTuple && items.length > 0) return items[0];
    if (!isTuple && !parenthesized) stream.fail(`expected an expression, got ${stream.describe()}`);
    return { type: "tuple", items };
  }

  private isTupleEnd(end?: string): boolean {
    const { stream } = this;
    if (stream.is("printEnd") || stream.is("blockEnd") || stream.isOperator(")")) return true;
    return end !== undefined && stream.isName(end);
  }

  private conditional(): Expression {
    const { stream } = this;
    let value = this.or();
    while (stream.skip("name", "if")) {
      const test = this.or();
      const hasElse = stream.skip("name", "else");
      const otherwise = hasElse ? this.meter.deeper(() => this.conditional()) : null;
      value = { type: "conditional", test, value, otherwise };
    }
    return value;
  }

  private or(): Expression {
    let left = this.and();
    while (this.stream.skip("name", "or")) left = { type: "or", left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.stream.skip("name", "and")) left = { type: "and", left, right: this.not() };
    return left;
  }

  private not(): Expression {
    if (!this.stream.skip("name", "not")) return this.comparison();
    return { type: "unary", operator: "not", of: this.meter.deeper(() => this.not()) };
  }

  private comparison(): Expression {
    const { stream } = this;
    const first = this.sum();
    const rest: (readonly [ComparisonOperator, Expression])[] = [];
    for (;;) {
      const operator = this.comparisonOperator();
      if (operator === null) break;
      for (let i = operator === "not in" ? 2 : 1; i > 0; i--) stream.next();
      rest.push([operator, this.sum()]);
    }
    return rest.length === 0 ? first : { type: "compare", first, rest };
  }

  private comparisonOperator(): ComparisonOperator | null {
    const { current, following } = this.stream;
    if (current.type === "operator" && comparisons.has(current.text)) {
      return current.text as ComparisonOperator;
    }
    if (current.type !== "name") return null;
    if (current.text === "in") return "in";
    const isNotIn = current.text === "not" && following.type === "name" && following.text === "in";
    return isNotIn ? "not in" : null;
  }

  private binary(operators: readonly BinaryOperator[], operand: () => Expression): Expression {
    let left = operand();
    while (this.stream.isOperator(...operators)) {
      const operator = this.stream.next().text as BinaryOperator;
      left = { type: "binary", operator, left, right: operand() };
    }
    return left;
  }

  private sum(): Expression {
    return this.binary(["+", "-"], () => this.concatenation());
  }

  private concatenation(): Expression {
    const parts = [this.product()];
    while (this.stream.skip("operator", "~")) parts.push(this.product());
    return parts.length === 1 ? parts[0] : { type: "concat", parts };
  }

  private product(): Expression {
    return this.binary(["*", "/", "//", "%"], () => this.power());
  }

  private power(): Expression {
    return this.binary(["**"], () => this.unary());
  }

  private unary(withFilter = true): Expression {
    const { stream } = this;
    let value: Expression;
    if (stream.isOperator("-", "+")) {
      const operator = stream.next().text as "-" | "+";
      value = { type: "unary", operator, of: this.meter.deeper(() => this.unary(false)) };
    } else value = this.primary();
    value = this.postfix(value);
    return withFilter ? this.filtersAndTests(value) : value;
  }

  /** Reads a name, a literal, or something in parentheses, brackets or braces. */
  primary(): Expression {
    const { stream } = this;
    const token = stream.current;
    switch (token.type) {
      case "name": {
        stream.next();
        const value = constants.get(token.text);
        return value === undefined
          ? { type: "name", name: token.text }
          : { type: "constant", value };
      }
      case "string": {
        let text = "";
        while (stream.is("string")) text += stream.next().text;
        return { type: "constant", value: text };
      }
      case "int":
        stream.next();
        return { type: "constant", value: BigInt(token.text.replaceAll("_", "")) };
      case "float":
        stream.next();
        return { type: "constant", value: Number(token.text.replaceAll("_", "")) };
      default:
        return this.enclosed();
    }
  }

  private enclosed(): Expression {
    const { stream } = this;
    if (stream.skip("operator", "(")) {
      const value = this.tuple({ parenthesized: true });
      stream.expect("operator", ")");
      return value;
    }
    if (stream.skip("operator", "[")) {
      return { type: "list", items: this.listUntil("]", () => this.expression()) };
    }
    if (!stream.skip("operator", "{")) return stream.fail(`unexpected ${stream.describe()}`);
    const pairs = this.listUntil("}", () => {
      const key = this.expression();
      stream.expect("operator", ":");
      return [key, this.expression()] as const;
    });
    return { type: "dict", pairs };
  }

  /** Reads items with commas between them up to a mark; a comma may stand behind the last. */
  private listUntil<T>(mark: string, item: () => T): T[] {
    const { stream } = this;
    const items: T[] = [];
    while (!stream.isOperator(mark)) {
      if (items.length > 0) stream.expect("operator", ",");
      if (stream.isOperator(mark)) break;
      items.push(item());
    }
    stream.expect("operator", mark);
    return items;
  }

  private postfix(value: Expression): Expression {
    let result = value;
    for (;;) {
      if (this.stream.isOperator(".")) result = this.attribute(result);
      else if (this.stream.isOperator("[")) result = this.subscript(result);
      else if (this.stream.isOperator("(")) result = this.call(result);
      else return result;
    }
  }

  private attribute(of: Expression): Expression {
    const { stream } = this;
    stream.next();
    const token = stream.next();
    if (token.type === "name") return { type: "attribute", of, name: token.text };
    if (token.type !== "int") return stream.fail("expected a name or number", token.line);
    return {
      type: "item",
      of,
      key: { type: "constant", value: BigInt(token.text.replaceAll("_", "")) },
    };
  }

  private subscript(of: Expression): Expression {
    const { stream } = this;
    stream.next();
    const start = stream.isOperator(":")
      ? null
      : stream.isOperator("]")
        ? undefined
        : this.expression();
    if (start === undefined) {
      stream.next();
      return { type: "item", of, key: { type: "tuple", items: [] } };
    }
    if (stream.isOperator(":")) return this.slice(of, start);
    const keys = [start as Expression];
    while (stream.skip("operator", ",")) keys.push(this.expression());
    stream.expect("operator", "]");
    return { type: "item", of, key: keys.length === 1 ? keys[0] : { type: "tuple", items: keys } };
  }

  private slice(of: Expression, start: Expression | null): Expression {
    const { stream } = this;
    const bound = (): Expression | null => (stream.isOperator("]", ":") ? null : this.expression());
    stream.next();
    const stop = bound();
    const step = stream.skip("operator", ":") ? bound() : null;
    stream.expect("operator", "]");
    return { type: "slice", of, start, stop, step };
  }

  call(callee: Expression): CallExpression {
    return { type: "call", callee, args: this.callArguments() };
  }

  private callArguments(): CallArguments {
    const { stream } = this;
    const { line } = stream.expect("operator", "(");
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let rest: Expression | null = null;
    let namedRest: Expression | null = null;
    const ensure = (fits: boolean): void => {
      if (!fits) stream.fail("invalid syntax for function call expression", line);
    };
    let first = true;
    while (!stream.isOperator(")")) {
      if (!first) stream.expect("operator", ",");
      if (!first && stream.isOperator(")")) break;
      first = false;
      if (stream.skip("operator", "*")) {
        ensure(rest === null && namedRest === null);
        rest = this.expression();
      } else if (stream.skip("operator", "**")) {
        ensure(namedRest === null);
        namedRest = this.expression();
      } else if (
        stream.is("name") &&
        stream.following.type === "operator" &&
        stream.following.text === "="
      ) {
        ensure(namedRest === null);
        named.push(this.namedArgument(named));
      } else {
        ensure(rest === null && namedRest === null && named.length === 0);
        positional.push(this.expression());
      }
    }
    stream.expect("operator", ")");
    return { positional, named, rest, namedRest };
  }

  private namedArgument(before: readonly (readonly [string, Expression])[]): [string, Expression] {
    const name = this.stream.next().text;
    if (before.some(([other]) => other === name))
      this.stream.fail(`argument '${name}' stands twice`);
    this.stream.next();
    return [name, this.expression()];
  }

  private filtersAndTests(value: Expression): Expression {
    const { stream } = this;
    let result = value;
    for (;;) {
      if (stream.isOperator("|")) {
        stream.next();
        result = this.filter(result);
      } else if (stream.isName("is")) result = this.test(result);
      else if (stream.isOperator("(")) result = this.call(result);
      else return result;
    }
  }

  private dottedName(): { readonly name: string; readonly line: number } {
    const { stream } = this;
    const { text, line } = stream.expect("name");
    let name = text;
    while (stream.skip("operator", ".")) name += `.${stream.expect("name").text}`;
    return { name, line };
  }

  /** Reads a filter's name and arguments, behind its bar. */
  private filter(of: Expression | null): FilterExpression {
    const { name, line } = this.dottedName();
    const args = this.stream.isOperator("(") ? this.callArguments() : noArguments;
    return { type: "filter", of, name, args, line };
  }

  /** Reads the filters of a block: `name` or `| name`, each applied to what is before it. */
  filters(first: boolean): FilterExpression | null {
    let filter = first ? this.filter(null) : null;
    while (this.stream.skip("operator", "|")) filter = this.filter(filter);
    return filter;
  }

  private test(of: Expression): Expression {
    const { stream } = this;
    stream.next();
    const negated = stream.skip("name", "not");
    const { name, line } = this.dottedName();
    const test: Expression = { type: "test", of, name, args: this.testArguments(), line };
    return negated ? { type: "unary", operator: "not", of: test } : test;
  }

  private testArguments(): CallArguments {
    const { stream } = this;
    if (stream.isOperator("(")) return this.callArguments();
    const begins = ["name", "string", "int", "float"].includes(stream.current.type);
    if (!(begins || stream.isOperator("[", "{")) || stream.isName("else", "or", "and")) {
      return noArguments;
    }
    if (stream.isName("is")) stream.fail("You cannot chain multiple tests with is");
    return { ...noArguments, positional: [this.postfix(this.primary())] };
  }
}
