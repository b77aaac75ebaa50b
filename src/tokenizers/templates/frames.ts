import { partsOf } from "./check-template.ts";
import type { Body, ForStatement, MacroDefinition, Node, Statement, Target } from "./syntax.ts";

/** A part of a template that has variables of its own; `body` of a template is one too. */
export type FrameNode = Body | Statement | MacroDefinition;

/** Names of each frame that are not seen in it before they are set there. */
export type HiddenNames = ReadonlyMap<FrameNode, readonly string[]>;

/** How a frame gets a name when it begins. */
type Load = "parameter" | "outer" | "resolve" | "hidden";

/** Names that a frame speaks of, by Jinja's rules. */
class Symbols {
  readonly outer: Symbols | null;
  readonly loads: Map<string, Load>;
  readonly stores: Set<string>;

  constructor(outer: Symbols | null, loads?: Map<string, Load>, stores?: Set<string>) {
    this.outer = outer;
    this.loads = new Map(loads);
    this.stores = new Set(stores);
  }

  copy(): Symbols {
    return new Symbols(this.outer, this.loads, this.stores);
  }

  knows(name: string): boolean {
    return this.loads.has(name) || (this.outer?.knows(name) ?? false);
  }

  parameter(name: string): void {
    this.stores.add(name);
    this.loads.set(name, "parameter");
  }

  load(name: string): void {
    if (!this.knows(name)) this.loads.set(name, "resolve");
  }

  store(name: string): void {
    this.stores.add(name);
    if (this.loads.has(name)) return;
    this.loads.set(name, this.outer?.knows(name) ? "outer" : "hidden");
  }

  /** Takes over what the branches of an `if` know; what only some set may be from outside. */
  merge(branches: readonly Symbols[]): void {
    const stored = new Set(branches.flatMap((branch) => [...branch.stores]));
    for (const name of this.stores) stored.delete(name);
    for (const branch of branches) {
      for (const [name, load] of branch.loads) this.loads.set(name, load);
      for (const name of branch.stores) this.stores.add(name);
    }
    for (const name of stored) {
      this.loads.set(name, this.outer?.knows(name) ? "outer" : "resolve");
    }
  }

  hidden(): string[] {
    return [...this.loads].filter(([, load]) => load === "hidden").map(([name]) => name);
  }
}

/**
 * Finds the names that a frame hides. Jinja decides before it renders where a name comes from: one
 * that a frame sets without having read it is the frame's own from its beginning, so that what
 * stands inside of it, in loops and macros, does not see a variable of that name from outside.
 */
class FrameFinder {
  readonly hidden = new Map<FrameNode, readonly string[]>();

  /** Reads a frame: `declare` tells its parameters, `parts` are read in it. */
  frame(
    node: FrameNode,
    outer: Symbols | null,
    parts: readonly Node[],
    declare: (symbols: Symbols) => void = () => {},
  ): void {
    const symbols = new Symbols(outer);
    declare(symbols);
    for (const part of parts) this.read(part, symbols);
    const hidden = symbols.hidden();
    if (hidden.length > 0) this.hidden.set(node, hidden);
    for (const part of parts) this.inner(part, symbols);
  }

  /** Reads a part of a frame, without the frames inside of it. */
  private read(node: Node, symbols: Symbols): void {
    switch (node.type) {
      case "name":
        return symbols.load(node.name);
      case "target":
      case "targets":
      case "namespaceTarget":
        return this.readTarget(node, symbols);
      case "set":
        this.read(node.value, symbols);
        return this.readTarget(node.target, symbols);
      case "if":
        return this.readIf(node, symbols);
      case "macro":
        return symbols.store(node.name ?? "");
      case "for":
        return this.read(node.over, symbols);
      case "callBlock":
        return this.read(node.call, symbols);
      case "filterBlock":
        return this.read(node.filter, symbols);
      case "with":
        return this.readAll(
          node.bindings.map(([, value]) => value),
          symbols,
        );
      case "setBlock":
        return this.readTarget(node.target, symbols);
      case "load":
        return node.names.forEach((name) => symbols.store(name));
      case "generation":
      case "autoescape":
      case "block":
        return undefined;
      default:
        return this.readAll(partsOf(node), symbols);
    }
  }

  private readAll(nodes: readonly Node[], symbols: Symbols): void {
    for (const node of nodes) this.read(node, symbols);
  }

  private readTarget(target: Target, symbols: Symbols): void {
    if (target.type === "target") symbols.store(target.name);
    else if (target.type === "namespaceTarget") symbols.load(target.name);
    else for (const item of target.items) this.readTarget(item, symbols);
  }

  private readIf(
    { branches, otherwise }: Extract<Statement, { readonly type: "if" }>,
    symbols: Symbols,
  ): void {
    const [[test, body], ...others] = branches;
    this.read(test, symbols);
    const readBody = (nodes: readonly Node[]): Symbols => {
      const branch = symbols.copy();
      this.readAll(nodes, branch);
      return branch;
    };
    const elifs = symbols.copy();
    for (const branch of others)
      this.readIf({ type: "if", branches: [branch], otherwise: [] }, elifs);
    symbols.merge([readBody(body), elifs, readBody(otherwise)]);
  }

  /** Reads the frames inside of a part. */
  private inner(node: Node, symbols: Symbols): void {
    switch (node.type) {
      case "for":
        return this.loop(node, symbols);
      case "macro":
        return this.macro(node, symbols);
      case "callBlock":
        return this.macro(node.caller, symbols);
      case "with":
        return this.frame(node, symbols, node.body, (inner) => {
          for (const [target] of node.bindings) declareTarget(target, inner);
        });
      case "setBlock":
      case "generation":
      case "autoescape":
        return this.frame(node, symbols, node.body);
      case "filterBlock":
        return this.frame(node, symbols, [...node.body, node.filter]);
      case "block":
        return this.frame(node, null, node.body);
      case "if":
        for (const [, body] of node.branches) for (const part of body) this.inner(part, symbols);
        for (const part of node.otherwise) this.inner(part, symbols);
        return undefined;
      default:
        return undefined;
    }
  }

  private loop(node: ForStatement, symbols: Symbols): void {
    this.frame(node, symbols, node.body, (inner) => {
      inner.parameter("loop");
      declareTarget(node.target, inner);
    });
    this.frame(node.otherwise, symbols, node.otherwise);
  }

  private macro(node: MacroDefinition, symbols: Symbols): void {
    const defaults = node.parameters.flatMap(({ otherwise }) => (otherwise ? [otherwise] : []));
    this.frame(node, symbols, [...defaults, ...node.body], (inner) => {
      for (const { name } of node.parameters) inner.parameter(name);
      for (const name of ["caller", "kwargs", "varargs"]) {
        if (readsFirst(node.body, name)) inner.parameter(name);
      }
    });
  }
}

function declareTarget(target: Target, symbols: Symbols): void {
  if (target.type === "target") symbols.parameter(target.name);
  else if (target.type === "targets") for (const item of target.items) declareTarget(item, symbols);
}

/** Whether a body reads a name without having set it before. */
export function readsFirst(body: Body, name: string): boolean {
  let isSet = false;
  const visit = (node: Node): boolean => {
    if (isSet) return false;
    if (node.type === "target" && node.name === name) isSet = true;
    if (node.type === "name" && node.name === name) return true;
    return node.type !== "block" && partsOf(node).some(visit);
  };
  return body.some(visit);
}

/** Finds the names that the frames of a template hide. */
export function findHiddenNames(body: Body): HiddenNames {
  const finder = new FrameFinder();
  finder.frame(body, null, body);
  return finder.hidden;
}
