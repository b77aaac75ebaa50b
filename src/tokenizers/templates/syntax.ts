import type { BinaryOperator } from "./operators.ts";
import type { Value } from "./values.ts";

/** An expression of a template. */
export type Expression =
  | { readonly type: "constant"; readonly value: Value }
  | { readonly type: "name"; readonly name: string }
  | { readonly type: "list" | "tuple"; readonly items: readonly Expression[] }
  | { readonly type: "dict"; readonly pairs: readonly (readonly [Expression, Expression])[] }
  | { readonly type: "attribute"; readonly of: Expression; readonly name: string }
  | { readonly type: "item"; readonly of: Expression; readonly key: Expression }
  | SliceExpression
  | CallExpression
  | FilterExpression
  | (ApplicationOf & { readonly type: "test"; readonly of: Expression })
  | { readonly type: "unary"; readonly operator: "-" | "+" | "not"; readonly of: Expression }
  | Binary
  | { readonly type: "and" | "or"; readonly left: Expression; readonly right: Expression }
  | { readonly type: "concat"; readonly parts: readonly Expression[] }
  | Comparison
  | Conditional;

interface Binary {
  readonly type: "binary";
  readonly operator: BinaryOperator;
  readonly left: Expression;
  readonly right: Expression;
}

export interface SliceExpression {
  readonly type: "slice";
  readonly of: Expression;
  readonly start: Expression | null;
  readonly stop: Expression | null;
  readonly step: Expression | null;
}

/** What a call is written with. */
export interface CallArguments {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [string, Expression])[];
  /** Behind `*` and `**`. */
  readonly rest: Expression | null;
  readonly namedRest: Expression | null;
}

export interface CallExpression {
  readonly type: "call";
  readonly callee: Expression;
  readonly args: CallArguments;
}

/** A filter or test by its name. */
interface ApplicationOf {
  readonly name: string;
  readonly args: CallArguments;
  readonly line: number;
}

/** A filter; `of` is null for the first one of a filter or set block. */
export interface FilterExpression extends ApplicationOf {
  readonly type: "filter";
  readonly of: Expression | null;
}

/** An operator that compares. */
export type ComparisonOperator = "==" | "!=" | "<" | "<=" | ">" | ">=" | "in" | "not in";

interface Comparison {
  readonly type: "compare";
  readonly first: Expression;
  readonly rest: readonly (readonly [ComparisonOperator, Expression])[];
}

interface Conditional {
  readonly type: "conditional";
  readonly test: Expression;
  readonly value: Expression;
  readonly otherwise: Expression | null;
}

/** What a value is assigned to. */
export type Target =
  | { readonly type: "target"; readonly name: string }
  | { readonly type: "namespaceTarget"; readonly name: string; readonly attribute: string }
  | { readonly type: "targets"; readonly items: readonly Target[] };

export interface Parameter {
  readonly name: string;
  readonly otherwise: Expression | null;
}

export type Body = readonly Statement[];

export interface ForStatement {
  readonly type: "for";
  readonly target: Target;
  readonly over: Expression;
  readonly test: Expression | null;
  readonly recursive: boolean;
  readonly body: Body;
  readonly otherwise: Body;
}

/** A macro, or the body of a `call` block: then its name is null. */
export interface MacroDefinition {
  readonly type: "macro";
  readonly name: string | null;
  readonly parameters: readonly Parameter[];
  readonly body: Body;
}

export interface BlockStatement {
  readonly type: "block";
  readonly name: string;
  readonly scoped: boolean;
  readonly required: boolean;
  readonly body: Body;
}

/** A statement of a template. */
export type Statement =
  | { readonly type: "data"; readonly text: string }
  | { readonly type: "print"; readonly value: Expression }
  | { readonly type: "set"; readonly target: Target; readonly value: Expression }
  | SetBlock
  | ForStatement
  | IfStatement
  | MacroDefinition
  | { readonly type: "callBlock"; readonly call: CallExpression; readonly caller: MacroDefinition }
  | { readonly type: "filterBlock"; readonly filter: FilterExpression; readonly body: Body }
  | WithStatement
  | BlockStatement
  | { readonly type: "generation"; readonly body: Body }
  | { readonly type: "autoescape"; readonly value: Expression; readonly body: Body }
  | { readonly type: "break" | "continue" }
  | { readonly type: "load"; readonly tag: string; readonly names: readonly string[] };

interface SetBlock {
  readonly type: "setBlock";
  readonly target: Target;
  readonly filter: FilterExpression | null;
  readonly body: Body;
}

interface IfStatement {
  readonly type: "if";
  readonly branches: readonly (readonly [Expression, Body])[];
  readonly otherwise: Body;
}

interface WithStatement {
  readonly type: "with";
  readonly bindings: readonly (readonly [Target, Expression])[];
  readonly body: Body;
}

/** A part of a template. */
export type Node = Expression | Statement | Target | MacroDefinition;
