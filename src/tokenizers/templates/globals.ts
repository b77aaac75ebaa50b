import { Dict, itemsOf, iterate, Namespace } from "./dict.ts";
import { fail } from "./failure.ts";
import { entryBytes, type Meter } from "./limits.ts";
import { fromKeys } from "./methods.ts";
import { intOf } from "./numbers.ts";
import { bind, bindPositional, toStr } from "./parameters.ts";
import { toText } from "./repr.ts";
import { formatTime } from "./strftime.ts";
import {
  type Arguments,
  Callable,
  NativeFunction,
  Range,
  TemplateObject,
  typeName,
  Undefined,
  type Value,
} from "./values.ts";

/** Most items of a range: the limit of Jinja's sandbox. */
const longestRange = 100_000;

function intArgument(value: Value): bigint {
  const int = intOf(value);
  if (int !== undefined) return int;
  if (value instanceof Undefined) value.fail();
  return fail("TypeError", `'${typeName(value)}' object cannot be interpreted as an integer`);
}

function range(args: Arguments): Range {
  const bounds = bindPositional("range", args, 1, 3).map(intArgument);
  const [start, stop] = bounds.length === 1 ? [0n, bounds[0]] : bounds;
  const step = bounds[2] ?? 1n;
  if (step === 0n) fail("ValueError", "range() arg 3 must not be zero");
  const made = new Range(start, stop, step);
  if (made.count > longestRange) fail("OverflowError", `Range too big: ${made.count} items`);
  return made;
}

/** Entries of `dict(...)` and `namespace(...)`: a mapping or pairs, and what is named. */
function entriesOf(args: Arguments, meter: Meter): Dict {
  const [source] = bindPositional("dict", { positional: args.positional, named: new Map() }, 0, 1);
  const dict = new Dict();
  const put = (key: Value, value: Value): void => {
    meter.take(entryBytes);
    dict.put(key, value);
  };
  if (source instanceof Dict) for (const [key, value] of source.pairs()) put(key, value);
  else if (source !== undefined) {
    for (const pair of iterate(source, meter)) {
      const parts = itemsOf(pair, meter);
      if (parts.length !== 2) fail("ValueError", "dictionary update sequence needs pairs");
      put(parts[0], parts[1]);
    }
  }
  for (const [name, value] of args.named) put(name, value);
  return dict;
}

/** `dict`, with its one method. */
class DictMaker extends Callable {
  readonly typeName = "TemplateDict";

  call(args: Arguments, meter: Meter): Value {
    return entriesOf(args, meter);
  }

  override attribute(name: string): Value | undefined {
    return name === "fromkeys" ? fromKeys : undefined;
  }
}

/** Gives its values in turn, again and again. */
class Cycler extends TemplateObject {
  readonly typeName = "Cycler";
  private readonly values: readonly Value[];
  private place = 0;

  constructor(values: readonly Value[]) {
    super();
    this.values = values;
  }

  override attribute(name: string): Value | undefined {
    if (name === "current") return this.values[this.place];
    if (name === "pos") return BigInt(this.place);
    if (name === "next") return new NativeFunction(name, () => this.next());
    if (name !== "reset") return undefined;
    return new NativeFunction(name, () => {
      this.place = 0;
      return null;
    });
  }

  private next(): Value {
    const value = this.values[this.place];
    this.place = (this.place + 1) % this.values.length;
    return value;
  }
}

function cycler({ positional }: Arguments): Value {
  if (positional.length === 0) return fail("RuntimeError", "at least one item has to be provided");
  return new Cycler(positional);
}

/** Gives nothing the first time it is called, and then the separator. */
function joiner(args: Arguments): Value {
  const [separator = ", "] = bind("joiner", args, ["sep"]);
  let used = false;
  return new NativeFunction("joiner", () => {
    const text = used ? separator : "";
    used = true;
    return text;
  });
}

function raise(args: Arguments, meter: Meter): never {
  const [message = null] = bind("raise_exception", args, ["message"], 1);
  return fail("Refusal", toText(message, meter));
}

/** Functions that every template has, at a moment. */
export function globalsAt(now: Date): ReadonlyMap<string, Value> {
  const strftime = (args: Arguments, meter: Meter): string => {
    const [format] = bind("strftime_now", args, ["format"], 1);
    const text = toStr(format);
    meter.parts(text.length);
    return formatTime(now, text);
  };
  return new Map<string, Value>([
    ["range", new NativeFunction("range", range)],
    ["dict", new DictMaker()],
    [
      "namespace",
      new NativeFunction(
        "namespace",
        (args, meter) => new Namespace(entriesOf(args, meter).pairs()),
      ),
    ],
    ["cycler", new NativeFunction("cycler", cycler)],
    ["joiner", new NativeFunction("joiner", joiner)],
    [
      "lipsum",
      new NativeFunction("lipsum", () => fail("ValueError", "asks for a random text with lipsum")),
    ],
    ["raise_exception", new NativeFunction("raise_exception", raise)],
    ["strftime_now", new NativeFunction("strftime_now", strftime)],
  ]);
}
