import { Command, Option } from "commander";
import { describe, expect, test } from "vitest";
import { recipeFields } from "../recipe/recipe.ts";
import { UsageError } from "../util/errors.ts";
import { formatError } from "./errors.ts";
import { addFieldOptions } from "./field-options.ts";

const command = addFields(new Command("quantize"));

function addFields(to: Command): Command {
  addFieldOptions(to, recipeFields);
  return to.addOption(new Option("--restart")).addOption(new Option("--task <name>"));
}

test("what the system refused is no fault of fewbit, wherever it was noticed", () => {
  const how = { style: (text: string) => text, debug: false };
  const refused = { errno: -24, code: "EMFILE", syscall: "open", path: "/models/a" };
  const error = Object.assign(new Error("EMFILE: too many open files"), refused);
  expect(formatError(error, how)).toEqual([
    "error  cannot open /models/a: too many files are open",
    "       raise the limit (ulimit -n)",
  ]);
  expect(formatError(new TypeError("x"), how)[0]).toContain("not expected by fewbit");
});

describe("a hint of the library, as the command line writes it", () => {
  test.each([
    ["leave out `transforms`", "leave out --transform"],
    ["use `calibration.window: 64` or less", "use --window 64 or less"],
    ["`method: rtn` `finishers: e2e-qp`", "--method rtn --finish e2e-qp"],
    ["use `resume: restart` to start over", "use --restart to start over"],
    ["give `tasks` and no `text`", "give --task and no `text`"],
    ["(`selfGenerated`)", "(--self-calibration)"],
    ["run `npm run build` first", "run `npm run build` first"],
  ])("%s", (hint, written) => {
    const error = new UsageError("no", { hint });
    const style = (text: string) => text;
    const lines = formatError(error, { style, debug: false, command });
    expect(lines).toEqual(["error  no", `       ${written}`]);
    expect(formatError(error, { style, debug: false })[1]).toContain(hint);
  });
});
