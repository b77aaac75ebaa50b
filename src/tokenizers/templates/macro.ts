import { Dict } from "./dict.ts";
import { fail } from "./failure.ts";
import { readsFirst } from "./frames.ts";
import { quote } from "./repr.ts";
import type { MacroDefinition } from "./syntax.ts";
import { type Arguments, Callable, Tuple, Undefined, type Value } from "./values.ts";

/** A macro, or the body of a `call` block, which the macro calls as `caller`. */
export class Macro extends Callable {
  readonly typeName = "Macro";
  readonly name: string | null;
  private readonly parameters: readonly string[];
  private readonly reads: {
    readonly caller: boolean;
    readonly kwargs: boolean;
    readonly varargs: boolean;
  };
  private readonly body: (bindings: ReadonlyMap<string, Value>) => string;

  constructor(definition: MacroDefinition, body: (bindings: ReadonlyMap<string, Value>) => string) {
    super();
    this.name = definition.name;
    this.parameters = definition.parameters.map(({ name }) => name);
    const free = (name: string): boolean =>
      !this.parameters.includes(name) && readsFirst(definition.body, name);
    this.reads = { caller: free("caller"), kwargs: free("kwargs"), varargs: free("varargs") };
    this.body = body;
  }

  override attribute(name: string): Value | undefined {
    if (name === "name") return this.name;
    if (name === "arguments") return new Tuple(this.parameters);
    if (name === "catch_kwargs") return this.reads.kwargs;
    if (name === "catch_varargs") return this.reads.varargs;
    return name === "caller" ? this.reads.caller : undefined;
  }

  override describe(): string {
    return this.name === null ? "<Macro anonymous>" : `<Macro ${quote(this.name)}>`;
  }

  call({ positional, named }: Arguments): Value {
    const { parameters } = this;
    const bindings = new Map<string, Value>();
    const left = new Map(named);
    parameters.forEach((name, index) => {
      const value = index < positional.length ? positional[index] : left.get(name);
      if (index >= positional.length) left.delete(name);
      if (value !== undefined) bindings.set(name, value);
    });
    if (this.reads.caller) {
      const caller = left.get("caller") ?? null;
      bindings.set("caller", caller ?? new Undefined("No caller defined"));
      left.delete("caller");
    }
    if (this.reads.kwargs) bindings.set("kwargs", new Dict(left));
    else if (left.size > 0) {
      fail("TypeError", `macro '${this.name}' takes no keyword argument '${[...left.keys()][0]}'`);
    }
    if (this.reads.varargs) bindings.set("varargs", new Tuple(positional.slice(parameters.length)));
    else if (positional.length > parameters.length) {
      fail(
        "TypeError",
        `macro '${this.name}' takes not more than ${parameters.length} argument(s)`,
      );
    }
    return this.body(bindings);
  }
}
