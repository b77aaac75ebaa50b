import { iterate, itemsOf, Namespace } from "./dict.ts";
import { Evaluator } from "./evaluator.ts";
import { fail } from "./failure.ts";
import type { FrameNode, HiddenNames } from "./frames.ts";
import type { Meter } from "./limits.ts";
import { Loop } from "./loop.ts";
import { Macro } from "./macro.ts";
import { toText } from "./repr.ts";
import { Scope } from "./scope.ts";
import type {
  BlockStatement,
  Body,
  CallExpression,
  Expression,
  ForStatement,
  MacroDefinition,
  Statement,
  Target,
} from "./syntax.ts";
import { joinParts } from "./text-methods.ts";
import { isTrue, Stream, Undefined, type Value } from "./values.ts";

/** What a body ended with: by itself, or at a `break` or `continue`. */
type Ending = "end" | "break" | "continue";

/** Texts that a body writes. */
type Output = string[];

/** Walks a template and writes its text. */
export class Interpreter extends Evaluator {
  private readonly root: Scope;
  private readonly hidden: HiddenNames;

  constructor(root: Scope, hidden: HiddenNames, meter: Meter) {
    super(meter);
    [this.root, this.hidden] = [root, hidden];
  }

  /** Renders a template. @throws TemplateFailure where Python or Jinja would raise */
  render(body: Body): string {
    const hidden = this.hidden.get(body) ?? [];
    for (const name of hidden) this.root.hide(name);
    return this.capture(body, this.root);
  }

  /** Opens the variables of a part of the template. */
  private open(node: FrameNode, outer: Scope): Scope {
    return new Scope(outer, this.hidden.get(node));
  }

  /** Runs a body and returns what it writes. */
  private capture(body: Body, scope: Scope): string {
    const output: Output = [];
    this.run(body, scope, output);
    return joinParts(output, "", this.meter);
  }

  private run(body: Body, scope: Scope, output: Output): Ending {
    for (const statement of body) {
      this.meter.step();
      const ending = this.execute(statement, scope, output);
      if (ending !== "end") return ending;
    }
    return "end";
  }

  private write(output: Output, text: string): void {
    this.meter.take(8);
    output.push(text);
  }

  private execute(statement: Statement, scope: Scope, output: Output): Ending {
    switch (statement.type) {
      case "data":
        this.write(output, statement.text);
        return "end";
      case "print":
        this.write(output, toText(this.evaluate(statement.value, scope), this.meter));
        return "end";
      case "set":
        this.set(statement.target, statement.value, scope);
        return "end";
      case "if":
        return this.runIf(statement.branches, statement.otherwise, scope, output);
      case "for":
        this.runFor(statement, scope, output);
        return "end";
      case "break":
      case "continue":
        return statement.type;
      case "with": {
        const inner = this.open(statement, scope);
        const values = statement.bindings.map(([, value]) => this.evaluate(value, scope));
        statement.bindings.forEach(([target], i) => this.assign(target, values[i], inner));
        return this.run(statement.body, inner, output);
      }
      default:
        return this.executeBlock(statement, scope, output);
    }
  }

  private executeBlock(
    statement: Exclude<
      Statement,
      { readonly type: "data" | "print" | "set" | "if" | "for" | "break" | "continue" | "with" }
    >,
    scope: Scope,
    output: Output,
  ): Ending {
    switch (statement.type) {
      case "setBlock": {
        const inner = this.open(statement, scope);
        const parts: Output = [];
        const ending = this.run(statement.body, inner, parts);
        if (ending !== "end") return ending;
        const text = joinParts(parts, "", this.meter);
        const { filter } = statement;
        this.assign(statement.target, filter ? this.applyFilter(filter, inner, text) : text, scope);
        return "end";
      }
      case "filterBlock": {
        const inner = this.open(statement, scope);
        const parts: Output = [];
        const ending = this.run(statement.body, inner, parts);
        if (ending !== "end") return ending;
        const text = joinParts(parts, "", this.meter);
        this.write(output, toText(this.applyFilter(statement.filter, inner, text), this.meter));
        return "end";
      }
      case "macro":
        scope.set(statement.name ?? "", this.define(statement, scope));
        return "end";
      case "callBlock":
        this.write(
          output,
          toText(this.callWith(statement.call, statement.caller, scope), this.meter),
        );
        return "end";
      case "generation":
        this.write(output, this.capture(statement.body, this.open(statement, scope)));
        return "end";
      case "autoescape":
        if (isTrue(this.evaluate(statement.value, scope))) {
          fail("RuntimeError", "turns on escaping for HTML, which fewbit does not do");
        }
        return this.run(statement.body, this.open(statement, scope), output);
      case "block":
        this.runBlock(statement, scope, output);
        return "end";
      default:
        return fail("TypeError", `takes another template ('${statement.tag}'), and there is none`);
    }
  }

  private runIf(
    branches: readonly (readonly [Expression, Body])[],
    otherwise: Body,
    scope: Scope,
    output: Output,
  ): Ending {
    for (const [test, body] of branches) {
      if (isTrue(this.evaluate(test, scope))) return this.run(body, scope, output);
    }
    return this.run(otherwise, scope, output);
  }

  private runBlock(block: BlockStatement, scope: Scope, output: Output): void {
    if (block.required) fail("RuntimeError", `Required block '${block.name}' not found`);
    this.run(block.body, this.open(block, block.scoped ? scope : this.root), output);
  }

  private runFor(loop: ForStatement, scope: Scope, output: Output): void {
    const over = this.evaluate(loop.over, scope);
    if (!loop.recursive) return this.loop(loop, over, scope, output, null, 0);
    const recurse = (items: Value, depth: number): string =>
      this.meter.deeper(() => {
        const parts: Output = [];
        this.loop(loop, items, scope, parts, recurse, depth);
        return joinParts(parts, "", this.meter);
      });
    return this.write(output, recurse(over, 0));
  }

  private loop(
    loop: ForStatement,
    over: Value,
    scope: Scope,
    output: Output,
    recurse: ((items: Value, depth: number) => string) | null,
    depth: number,
  ): void {
    const { target, test, body, otherwise } = loop;
    const chosen = test ? new Stream("generator", this.choose(over, target, test, scope)) : over;
    const state = new Loop(chosen, this.meter, recurse, depth);
    // As in Jinja, `else` runs when no round came to its end.
    let finished = false;
    for (const item of state.rounds()) {
      const inner = this.open(loop, scope);
      inner.set("loop", state);
      this.assign(target, item, inner);
      const ending = this.run(body, inner, output);
      if (ending === "break") break;
      if (ending === "end") finished = true;
    }
    if (!finished) this.run(otherwise, this.open(otherwise, scope), output);
  }

  /** Items for which the test of a loop holds. */
  private *choose(over: Value, target: Target, test: Expression, scope: Scope): Generator<Value> {
    for (const item of iterate(over, this.meter)) {
      const inner = new Scope(scope);
      this.assign(target, item, inner);
      if (isTrue(this.evaluate(test, inner))) yield item;
    }
  }

  private set(target: Target, value: Expression, scope: Scope): void {
    this.checkNamespaces(target, scope);
    this.assign(target, this.evaluate(value, scope), scope);
  }

  private checkNamespaces(target: Target, scope: Scope): void {
    if (target.type === "targets")
      for (const item of target.items) this.checkNamespaces(item, scope);
    if (target.type === "namespaceTarget") this.namespace(target.name, scope);
  }

  private namespace(name: string, scope: Scope): Namespace {
    const value = scope.get(name);
    if (value instanceof Namespace) return value;
    return fail("RuntimeError", "cannot assign attribute on non-namespace object");
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.type === "target") scope.set(target.name, value);
    else if (target.type === "namespaceTarget") {
      this.meter.take(0);
      this.namespace(target.name, scope).put(target.attribute, value);
    } else {
      const values = itemsOf(value, this.meter);
      if (values.length !== target.items.length) {
        fail(
          "ValueError",
          `expected ${target.items.length} values to unpack, got ${values.length}`,
        );
      }
      target.items.forEach((item, i) => this.assign(item, values[i], scope));
    }
  }

  private define(definition: MacroDefinition, scope: Scope): Macro {
    return new Macro(definition, (bindings) =>
      this.meter.deeper(() => {
        const inner = this.open(definition, scope);
        for (const [name, value] of bindings) inner.set(name, value);
        for (const { name, otherwise } of definition.parameters) {
          if (bindings.has(name)) continue;
          const missing = new Undefined(`parameter '${name}' was not provided`);
          inner.set(name, otherwise ? this.evaluate(otherwise, inner) : missing);
        }
        return this.capture(definition.body, inner);
      }),
    );
  }

  private callWith({ callee, args }: CallExpression, caller: MacroDefinition, scope: Scope): Value {
    const { positional, named } = this.arguments(args, scope);
    const body = this.define(caller, scope);
    const withCaller = { positional, named: new Map([...named, ["caller", body as Value]]) };
    return this.call(this.evaluate(callee, scope), withCaller);
  }
}
