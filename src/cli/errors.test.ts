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
