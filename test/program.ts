import { cpSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "rolldown";

/*
 * The program that tests start as a process: bundled once a run of the tests, because reading 900
 * modules takes most of the time of a short command.
 */

const source = (path: string): string => fileURLToPath(new URL(`../${path}`, import.meta.url));

/** The addon stays where it is. */
const besideSources: Plugin = {
  name: "beside-sources",
  transform: {
    filter: { id: /kernels[\\/]native[\\/]addon\.ts$/ },
    handler: (code, id) =>
      code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(id).href)),
  },
};

/** Where the bundled program of a run of the tests lies, given the folder of the run. */
export const programIn = (scratch: string): string =>
  join(scratch, "program", "dist", "cli", "main.js");

/** Bundles the program and its helpers before the run; called by vitest. */
export async function setup(): Promise<void> {
  const scratch = process.env["FEWBIT_TEST_SCRATCH"];
  if (!scratch) throw new Error("FEWBIT_TEST_SCRATCH is not set");
  const folder = join(scratch, "program");
  const entries = ["cli/main", "checkpoint-helper", "query-helper"];
  await build({
    cwd: source("."),
    input: Object.fromEntries(entries.map((name) => [name, source(`src/${name}.ts`)])),
    platform: "node",
    plugins: [besideSources],
    output: { dir: join(folder, "dist"), format: "esm" },
  });
  cpSync(source("package.json"), join(folder, "package.json"));
}
