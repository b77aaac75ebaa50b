import { describe, expect, test } from "vitest";
import { UsageError } from "../util/errors.ts";
import { isCommit, parseHubSource } from "./model-source.ts";

describe("model source", () => {
  test("hf:owner/name is the main branch, @ names another branch, tag or commit", () => {
    expect(parseHubSource("hf:Qwen/Qwen3-0.6B")).toEqual({
      repo: "Qwen/Qwen3-0.6B",
      revision: "main",
      file: null,
    });
    const file = null;
    expect(parseHubSource("hf:a/b@v1.0")).toEqual({ repo: "a/b", revision: "v1.0", file });
    expect(parseHubSource("hf:a/b@refs/pr/1")).toEqual({
      repo: "a/b",
      revision: "refs/pr/1",
      file,
    });
  });
  test(": names a GGUF file, with the folder that it lies in", () => {
    const main = { repo: "a/b", revision: "main" };
    expect(parseHubSource("hf:a/b:m.Q4_K_M.gguf")).toEqual({ ...main, file: "m.Q4_K_M.gguf" });
    expect(parseHubSource("hf:a/b@v1:q4/m-00001-of-00002.gguf")).toEqual({
      repo: "a/b",
      revision: "v1",
      file: "q4/m-00001-of-00002.gguf",
    });
  });

  test.each(["./models/llama", "owner/name", "/hf:", "C:\\models", "h"])(
    "%s is a directory",
    (path) => {
      expect(parseHubSource(path)).toBeNull();
    },
  );

  test.each([
    "hf:",
    "hf:name",
    "hf:a/b/c",
    "hf:../b",
    "hf:a/..",
    "hf:a/b--c",
    "hf:a/.b",
    "hf:a/b.",
    "hf:a\\b/c",
    "hf:a/b@",
    "hf:a/b@../../x",
    "hf:a/b@/etc",
    "hf:a/b@x//y",
    "hf:a/b@-x",
    "hf:a/b@a b",
    "hf:a/b:",
    "hf:a/b:m.bin",
    "hf:a/b:../m.gguf",
    "hf:a/b:/m.gguf",
    "hf:a/b:x//m.gguf",
    "hf:a/b:.gguf",
    "hf:a/b:x\\\\m.gguf",
  ])("%s is refused: it would leave the cache or names nothing", (source) => {
    expect(() => parseHubSource(source)).toThrow(UsageError);
  });

  test.each(["./nomodel", "../x", "/models/llama", "~/llama"])(
    "hf:%s is refused as the folder that it is",
    (folder) => {
      const hint = `for a folder leave out hf: and write ${folder}`;
      expect(() => parseHubSource(`hf:${folder}`)).toThrow(expect.objectContaining({ hint }));
    },
  );

  test("a commit is 40 hexadecimal digits", () => {
    expect(isCommit("0123456789abcdef0123456789abcdef01234567")).toBe(true);
    expect(isCommit("0123456")).toBe(false);
    expect(isCommit("main")).toBe(false);
  });
});
