import type { Value } from "./values.ts";

/** Variables of a part of a template. What is not set here is looked up further out. */
export class Scope {
  private readonly outer: Scope | null;
  private readonly values = new Map<string, Value | undefined>();

  /** `hidden`: names that are not seen here until they are set, whatever they are further out. */
  constructor(outer: Scope | null, hidden: readonly string[] = []) {
    this.outer = outer;
    for (const name of hidden) this.hide(name);
  }

  /** Returns a variable, or undefined when there is none. */
  get(name: string): Value | undefined {
    const value = this.values.get(name);
    if (value !== undefined || this.values.has(name)) return value;
    return this.outer?.get(name);
  }

  /** Makes a variable one that is not there. */
  hide(name: string): void {
    this.values.set(name, undefined);
  }

  set(name: string, value: Value): void {
    this.values.set(name, value);
  }
}
