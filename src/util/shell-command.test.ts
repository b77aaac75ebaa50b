import { execFileSync } from "node:child_process";
import { expect, test } from "vitest";
import { formatCommand } from "./shell-command.ts";

test("a shell reads back exactly the words", () => {
  const words = ["a b", "it's", 'say "x"', "$HOME", "`id`", "back\\slash", "", "--x=1", "ü\n2"];
  const printed = execFileSync("sh", ["-c", `printf '%s\\001' ${formatCommand(words)}`]);
  expect(printed.toString().split("\u0001").slice(0, -1)).toEqual(words);
});

test("plain words stay bare, and spaces take double quotes", () => {
  expect(formatCommand(["fewbit", "run", "./m-w2", "--prompt", "It was a"])).toBe(
    'fewbit run ./m-w2 --prompt "It was a"',
  );
});
