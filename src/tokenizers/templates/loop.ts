import { isEqual } from "./compare.ts";
import { iterate } from "./dict.ts";
import { fail } from "./failure.ts";
import type { Meter } from "./limits.ts";
import { bindPositional } from "./parameters.ts";
import {
  type Arguments,
  Callable,
  NativeFunction,
  orElse,
  sizeOf,
  Tuple,
  Undefined,
  type Value,
} from "./values.ts";

/** Renders the body of a recursive loop over other items. */
type Recurse = (items: Value, depth: number) => string;

/** The variable `loop` of a `for` loop. */
export class Loop extends Callable {
  readonly typeName = "LoopContext";
  private readonly over: Value;
  private readonly meter: Meter;
  private readonly recurse: Recurse | null;
  private readonly depth: number;
  private readonly source: Iterator<Value>;
  /** Items that were taken from the source ahead of their round. */
  private readonly ahead: Value[] = [];
  private index = -1;
  private total: number | undefined;
  private current: Value | undefined;
  private before: Value | undefined;
  private lastChanged: Tuple | null = null;

  constructor(over: Value, meter: Meter, recurse: Recurse | null, depth: number) {
    super();
    [this.over, this.meter, this.recurse, this.depth] = [over, meter, recurse, depth];
    this.source = iterate(over, meter);
  }

  /** The items, one a round. */
  *rounds(): Generator<Value> {
    for (;;) {
      const item = this.peek();
      if (item === undefined) return;
      this.ahead.shift();
      this.index++;
      this.before = this.current;
      this.current = item;
      yield item;
    }
  }

  get size(): number {
    if (this.total !== undefined) return this.total;
    const known = sizeOf(this.over);
    if (known === undefined) {
      for (let next = this.source.next(); !next.done; next = this.source.next()) {
        this.meter.take(8);
        this.ahead.push(next.value);
      }
    }
    this.total = known ?? this.index + 1 + this.ahead.length;
    return this.total;
  }

  override attribute(name: string): Value | undefined {
    switch (name) {
      case "index":
        return BigInt(this.index + 1);
      case "index0":
        return BigInt(this.index);
      case "length":
        return BigInt(this.size);
      case "revindex":
        return BigInt(this.size - this.index);
      case "revindex0":
        return BigInt(this.size - this.index - 1);
      case "depth":
        return BigInt(this.depth + 1);
      case "depth0":
        return BigInt(this.depth);
      case "first":
        return this.index === 0;
      case "last":
        return this.peek() === undefined;
      case "previtem":
        return orElse(
          this.index === 0 ? undefined : this.before,
          () => new Undefined("there is no previous item"),
        );
      case "nextitem":
        return orElse(this.peek(), () => new Undefined("there is no next item"));
      default:
        return this.method(name);
    }
  }

  private method(name: string): Value | undefined {
    if (name === "cycle") {
      return new NativeFunction(name, ({ positional, named }) => {
        if (positional.length === 0 || named.size > 0)
          fail("TypeError", "no items for cycling given");
        return positional[this.index % positional.length];
      });
    }
    if (name !== "changed") return undefined;
    return new NativeFunction(name, ({ positional }) => {
      const values = new Tuple(positional);
      const same = this.lastChanged !== null && isEqual(this.lastChanged, values, this.meter);
      this.lastChanged = same ? this.lastChanged : values;
      return !same;
    });
  }

  override describe(): string {
    return `<LoopContext ${this.index + 1}/${this.size}>`;
  }

  call(args: Arguments): Value {
    const [items] = bindPositional("loop", args, 1, 1);
    if (this.recurse) return this.recurse(items, this.depth + 1);
    return fail("TypeError", "the loop must have the 'recursive' marker to be called");
  }

  private peek(): Value | undefined {
    if (this.ahead.length === 0) {
      const next = this.source.next();
      if (next.done) return undefined;
      this.ahead.push(next.value);
    }
    return this.ahead[0];
  }
}
