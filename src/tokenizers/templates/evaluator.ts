import { Prng } from "../../util/prng.ts";
import { compare, contains, isEqual } from "./compare.ts";
import { Dict, itemsOf, newList } from "./dict.ts";
import type { Engine } from "./engine.ts";
import { fail } from "./failure.ts";
import { filters } from "./filters.ts";
import { entryBytes, type Meter } from "./limits.ts";
import { getAttribute, getItem } from "./lookup.ts";
import { negate, operate } from "./operators.ts";
import { toText } from "./repr.ts";
import type { Scope } from "./scope.ts";
import { sliceValue } from "./slices.ts";
import type {
  CallArguments,
  ComparisonOperator,
  Expression,
  FilterExpression,
  SliceExpression,
} from "./syntax.ts";
import { tests } from "./tests.ts";
import {
  type Arguments,
  Callable,
  isTrue,
  orElse,
  Tuple,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Evaluates expressions. */
export class Evaluator implements Engine {
  readonly meter: Meter;
  readonly random = new Prng(0);

  constructor(meter: Meter) {
    this.meter = meter;
  }

  filter(name: string, args: Arguments): Value {
    const filter = filters.get(name) ?? fail("RuntimeError", `there is no filter '${name}'`);
    return filter(args, this);
  }

  test(name: string, args: Arguments): boolean {
    const test = tests.get(name) ?? fail("RuntimeError", `there is no test '${name}'`);
    return test(args, this);
  }

  protected call(callee: Value, args: Arguments): Value {
    if (callee instanceof Callable) return callee.call(args, this.meter);
    if (callee instanceof Undefined) return callee.fail();
    return fail("TypeError", `'${typeName(callee)}' object is not callable`);
  }

  protected arguments(
    { positional, named, rest, namedRest }: CallArguments,
    scope: Scope,
    first: readonly Value[] = [],
  ): Arguments {
    const values = [...first, ...positional.map((value) => this.evaluate(value, scope))];
    if (rest) values.push(...itemsOf(this.evaluate(rest, scope), this.meter));
    this.meter.take(8 * values.length);
    const byName = new Map<string, Value>();
    for (const [name, value] of named) byName.set(name, this.evaluate(value, scope));
    if (namedRest) this.addNamed(byName, this.evaluate(namedRest, scope));
    return { positional: values, named: byName };
  }

  private addNamed(byName: Map<string, Value>, rest: Value): void {
    if (!(rest instanceof Dict)) return fail("TypeError", "argument after ** must be a mapping");
    for (const [name, value] of rest.pairs()) {
      if (typeof name !== "string") fail("TypeError", "keywords must be strings");
      if (byName.has(name)) fail("TypeError", `got '${name}' twice`);
      this.meter.take(entryBytes);
      byName.set(name, value);
    }
    return undefined;
  }

  protected applyFilter({ of, name, args }: FilterExpression, scope: Scope, input: Value): Value {
    const value = of === null ? input : this.filterInput(of, scope, input);
    return this.filter(name, this.arguments(args, scope, [value]));
  }

  private filterInput(of: Expression, scope: Scope, input: Value): Value {
    return of.type === "filter" ? this.applyFilter(of, scope, input) : this.evaluate(of, scope);
  }

  /** Evaluates an expression. @throws TemplateFailure where Python or Jinja would raise */
  protected evaluate(expression: Expression, scope: Scope): Value {
    const { meter } = this;
    meter.step();
    switch (expression.type) {
      case "constant":
        return expression.value;
      case "name":
        return orElse(
          scope.get(expression.name),
          () => new Undefined(`'${expression.name}' is undefined`),
        );
      default:
        return meter.deeper(() => this.evaluateDeeper(expression, scope));
    }
  }

  private evaluateDeeper(
    expression: Exclude<Expression, { readonly type: "constant" | "name" }>,
    scope: Scope,
  ): Value {
    const { meter } = this;
    switch (expression.type) {
      case "attribute":
        return getAttribute(this.evaluate(expression.of, scope), expression.name, meter);
      case "item": {
        const of = this.evaluate(expression.of, scope);
        return getItem(of, this.evaluate(expression.key, scope), meter);
      }
      case "call": {
        const callee = this.evaluate(expression.callee, scope);
        return this.call(callee, this.arguments(expression.args, scope));
      }
      case "filter":
        return this.applyFilter(expression, scope, null);
      case "test": {
        const value = this.evaluate(expression.of, scope);
        return this.test(expression.name, this.arguments(expression.args, scope, [value]));
      }
      case "slice":
        return this.slice(expression, scope);
      case "and":
      case "or": {
        const left = this.evaluate(expression.left, scope);
        return isTrue(left) === (expression.type === "or")
          ? left
          : this.evaluate(expression.right, scope);
      }
      case "unary": {
        const value = this.evaluate(expression.of, scope);
        return expression.operator === "not" ? !isTrue(value) : negate(value, expression.operator);
      }
      case "binary": {
        const left = this.evaluate(expression.left, scope);
        return operate(left, this.evaluate(expression.right, scope), expression.operator, meter);
      }
      case "compare":
        return this.compare(expression.first, expression.rest, scope);
      case "conditional":
        return this.conditional(expression, scope);
      default:
        return this.build(expression, scope);
    }
  }

  private conditional(
    { test, value, otherwise }: Extract<Expression, { readonly type: "conditional" }>,
    scope: Scope,
  ): Value {
    if (isTrue(this.evaluate(test, scope))) return this.evaluate(value, scope);
    if (otherwise) return this.evaluate(otherwise, scope);
    return new Undefined(
      "the inline if-expression evaluated to false and no else section was defined",
    );
  }

  /** Builds a list, tuple, dict or text of parts. */
  private build(
    expression: Extract<Expression, { readonly type: "list" | "tuple" | "dict" | "concat" }>,
    scope: Scope,
  ): Value {
    const { meter } = this;
    if (expression.type === "concat") {
      const parts = expression.parts.map((part) => toText(this.evaluate(part, scope), meter));
      return parts.reduce((left, right) => operate(left, right, "+", meter) as string);
    }
    if (expression.type !== "dict") {
      const items = expression.items.map((item) => this.evaluate(item, scope));
      if (expression.type === "list") return newList(items, meter);
      meter.take(8 * items.length);
      return new Tuple(items);
    }
    meter.take(entryBytes * expression.pairs.length);
    return new Dict(
      expression.pairs.map(([key, value]) => {
        return [this.evaluate(key, scope), this.evaluate(value, scope)] as const;
      }),
    );
  }

  private slice({ of, start, stop, step }: SliceExpression, scope: Scope): Value {
    const value = this.evaluate(of, scope);
    const bound = (part: Expression | null): Value => (part ? this.evaluate(part, scope) : null);
    const bounds = { start: bound(start), stop: bound(stop), step: bound(step) };
    if (value instanceof Undefined) return value.fail();
    // Jinja evaluates constants when it compiles, by a way that makes this undefined.
    const isConstant = of.type === "constant" && typeof of.value !== "string";
    if (isConstant) return new Undefined(`'${typeName(value)}' object has no element`);
    return sliceValue(value, bounds, this.meter);
  }

  private compare(
    first: Expression,
    rest: readonly (readonly [ComparisonOperator, Expression])[],
    scope: Scope,
  ): boolean {
    let left = this.evaluate(first, scope);
    for (const [operator, expression] of rest) {
      const right = this.evaluate(expression, scope);
      if (!this.holds(left, operator, right)) return false;
      left = right;
    }
    return true;
  }

  private holds(left: Value, operator: ComparisonOperator, right: Value): boolean {
    switch (operator) {
      case "==":
        return isEqual(left, right, this.meter);
      case "!=":
        return !isEqual(left, right, this.meter);
      case "in":
        return contains(right, left, this.meter);
      case "not in":
        return !contains(right, left, this.meter);
      default:
        return compare(left, right, operator, this.meter);
    }
  }
}
