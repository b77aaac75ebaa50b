import { type Command, Help, Option } from "commander";
import { formatPlural } from "../report/format.ts";
import { layoutOf } from "./terminal.ts";
import type { Io } from "./io.ts";

/*
 * Help in two lengths: `-h` explains what most need, `--help-all` everything.
 */

/** The widest column of flags: a longer one has its text below. */
const widestTerm = 30;

const helpAll = "--help-all";
const rare = new WeakSet<Option>();
const full = new WeakSet<Command>();

/** Marks an option that few need: only `--help-all` explains it. */
export function markRare(option: Option): Option {
  rare.add(option);
  return option;
}

/** Marks options that few need, by their flags. */
export function markRareFlags(command: Command, ...flags: readonly string[]): Command {
  for (const option of command.options) {
    if (flags.includes(option.long ?? "")) markRare(option);
  }
  return command;
}

/** Adds the switch that explains all of a command. */
export function addHelpAll(command: Command): Command {
  return command.addOption(new Option(helpAll, "explain all options"));
}

/** Whether a command is being explained as a whole. */
export function explainsAll(command: Command): boolean {
  return full.has(command);
}

/** Sets how help looks, where it goes, and its two lengths. */
export function configureHelp(command: Command, io: Io): Command {
  const layout = layoutOf(io.stdout, io);
  command.on("option:help-all", () => {
    full.add(command);
    command.help();
  });
  return command
    .addHelpOption(new Option("-h, --help", "explain this").helpGroup("Output:"))
    .helpCommand(false)
    .addHelpText("afterAll", () => furtherOptions(command))
    .configureHelp({
      helpWidth: Math.min(layout.width, 100),
      minWidthToWrap: 20,
      visibleOptions: shownOptions,
      padWidth: (each, help) =>
        Math.min(widestTerm, Help.prototype.padWidth.call(help, each, help)),
      formatItem: (term, width, description, help) => {
        const format = (text: string): string =>
          Help.prototype.formatItem.call(help, text, width, description, help);
        return help.displayWidth(term) <= width ? format(term) : `  ${term}\n${format("")}`;
      },
      // Choices stand in the flag, and defaults in the text.
      optionDescription: (option) => option.description,
      styleOptionTerm: (text) => layout.style(text, "accent"),
      styleSubcommandTerm: (text) => layout.style(text, "accent"),
    });
}

const usual = new Help();

function shownOptions(command: Command): Option[] {
  const options = usual.visibleOptions(command);
  if (!command.options.some((option) => rare.has(option))) {
    return options.filter(({ long }) => long !== helpAll);
  }
  return explainsAll(command) ? options : options.filter((option) => !rare.has(option));
}

/** What stands below a short help: that there is more. */
function furtherOptions(command: Command): string {
  const more = command.options.filter((option) => rare.has(option)).length;
  if (explainsAll(command) || more === 0) return "";
  return `\nfewbit ${command.name()} --help-all explains ${formatPlural(more, "more option")}.`;
}
