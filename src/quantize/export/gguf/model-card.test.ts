import { expect, test } from "vitest";
import { readModelCard } from "./model-card.ts";

test("of a README's front matter, scalars, lists and quotes are read", () => {
  const card = readModelCard(
    [
      "---",
      "license: other",
      'license_name: "llama3.1"',
      "license_link: https://example.org/LICENSE",
      "base_model:",
      "- owner/one",
      "  - 'owner/two'",
      "language: [en, 'de']",
      "tags:",
      "- text-generation",
      "widget:",
      "- text: |",
      "    base_model: not this",
      "extra_gated_prompt: >-",
      "---",
      "license: not this either",
    ].join("\n"),
  );
  expect(card).toEqual({
    license: "other",
    licenseName: "llama3.1",
    licenseLink: "https://example.org/LICENSE",
    baseModels: ["owner/one", "owner/two"],
    languages: ["en", "de"],
    tags: ["text-generation"],
  });
});

test.each(["", "# A title", "---\nlicense: mit", "text\n---\nlicense: mit\n---\n"])(
  "no front matter: %j",
  (text) => {
    expect(readModelCard(text)).toMatchObject({ license: null, baseModels: [] });
  },
);

test("CRLF, one line, values that are no scalars or too long", () => {
  const long = "x".repeat(2000);
  const card = readModelCard(`---\r\nlicense: mit\r\ntags: {a: 1}\r\nlanguage: ${long}\r\n---\r\n`);
  expect(card).toMatchObject({ license: "mit", tags: [], languages: [] });
});
