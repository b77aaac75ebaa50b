/** JSON that stands in a document as it is, whatever a parser makes of it. */
export class RawJson {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

const nested = (open: string, close: string, depth: number): RawJson =>
  new RawJson(open.repeat(depth) + close.repeat(depth));

/** Names that objects have without being given them, and others that programs stumble over. */
export const hostileNames: readonly string[] = [
  "__proto__",
  "constructor",
  "toString",
  "prototype",
  "hasOwnProperty",
  "valueOf",
  "__defineGetter__",
  "length",
  "then",
  "",
  " ",
  "0",
  "-1",
  "null",
  "\u0000",
  "\ud800",
  "\u202e",
  "a".repeat(300),
  "../../../etc/passwd",
];

/** Texts for a place where a text is expected. */
export const hostileTexts: readonly string[] = [
  ...hostileNames,
  "x".repeat(100_000),
  "\\",
  "%s%n",
  "\u001b[31m",
  "\r\n",
  "é".repeat(1000),
  "\udc00\ud800",
  "NaN",
  "Infinity",
  "1e999",
  "(a+)+$",
  "[",
  "{{",
  "{% for i in range(10) %}",
];

/** Numbers at the edges of what programs count with. */
export const hostileNumbers: readonly number[] = [
  0,
  -1,
  1,
  2,
  3,
  7,
  0.5,
  -0.5,
  255,
  256,
  65_535,
  65_536,
  100_000,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 32 - 2,
  2 ** 32,
  2 ** 32 + 5,
  2 ** 52,
  2 ** 53 - 1,
  2 ** 53,
  2 ** 63,
  1e21,
  1e100,
  1.7976931348623157e308,
  5e-324,
  1e-7,
  -(2 ** 31),
  -(2 ** 53),
]; // prettier-ignore

/** Values of each type. */
export const hostileValues: readonly unknown[] = [
  null,
  true,
  false,
  [],
  {},
  [[]],
  [null],
  [{}],
  [0],
  ["a"],
  [1, 2, 3],
  { a: 1 },
  { type: "toString" },
  { type: "__proto__" },
  { length: 4 },
  new RawJson("-0"),
  new RawJson("1e999"),
  new RawJson("-1e999"),
  new RawJson("123456789012345678901234567890"),
  new RawJson("NaN"),
  new RawJson("Infinity"),
  new RawJson("undefined"),
  new RawJson('{"__proto__":{"polluted":true}}'),
  new RawJson('{"constructor":{"prototype":{}}}'),
  new RawJson('{"a":1,"a":"b"}'),
  new RawJson('"\\ud800"'),
  new RawJson('"\\u0000"'),
  nested("[", "]", 50),
  nested("[", "]", 5000),
  nested("[", "]", 50_000),
  nested('{"a":', "}", 1),
  new RawJson(`${'{"a":'.repeat(20_000)}1${"}".repeat(20_000)}`),
  new RawJson(`[${"0,".repeat(50_000)}0]`),
  new RawJson(`[${"[],".repeat(50_000)}[]]`),
  new RawJson(`{${Array.from({ length: 20_000 }, (_, i) => `"k${i}":${i}`).join(",")}}`),
];
