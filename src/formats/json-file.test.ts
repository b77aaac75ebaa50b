import { expect, test } from "vitest";
import { formatJson, formatJsonLike } from "./json-file.ts";

const text = `{
  "cap": 30.0, "negative": -1.00, "count": 30,
  "rope": {"factor": 8.0, "theta": 10000}, "last": 2.0
}`;

test("floats that are whole stay floats where a text has them so", () => {
  const written = formatJsonLike({ ...JSON.parse(text), added: 30 }, text);
  expect(JSON.parse(written)).toEqual({ ...JSON.parse(text), added: 30 });
  for (const part of ['"cap": 30.0,', '"negative": -1.00,', '"factor": 8.0,', '"last": 2.0,']) {
    expect(written).toContain(part);
  }
  for (const part of ['"count": 30,', '"theta": 10000\n', '"added": 30\n']) {
    expect(written).toContain(part);
  }
});

test("a value that has changed is written as it is", () => {
  expect(formatJsonLike({ cap: 31 }, text)).toBe(formatJson({ cap: 31 }));
  expect(formatJsonLike({ cap: 30 }, null)).toBe(formatJson({ cap: 30 }));
});

test("what strings say is left alone", () => {
  const value = { note: '"cap": 30, "last": 2\n', cap: 30 };
  expect(JSON.parse(formatJsonLike(value, text))).toEqual(value);
});
