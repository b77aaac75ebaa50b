import { readFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "rolldown";

const root = fileURLToPath(new URL("..", import.meta.url));

/** The library, the command, and what they start as processes of their own. */
const entries = ["index", "cli/main", "checkpoint-helper", "query-helper"];

/** Where a bundle goes, and what of it. */
export interface ProgramBundle {
  readonly folder: string;
  /** Whether the packages that fewbit depends on are in it, too. */
  readonly whole: boolean;
}

/**
 * Bundles `src/` into few files: a short command spends most of its time on finding and compiling a
 * thousand modules. Shared parts lie beside `index.js`, for it and they look for files beside them.
 */
export async function bundleProgram({ folder, whole }: ProgramBundle): Promise<void> {
  const { dependencies } = JSON.parse(readFileSync(join(root, "package.json"), "utf8")) as {
    readonly dependencies: Readonly<Record<string, string>>;
  };
  const packages = Object.keys(dependencies);
  await build({
    cwd: root,
    input: Object.fromEntries(entries.map((name) => [name, join(root, "src", `${name}.ts`)])),
    platform: "node",
    external: (id) => !whole && packages.some((name) => `${id}/`.startsWith(`${name}/`)),
    output: { dir: folder, format: "esm", chunkFileNames: "[name]-[hash].js" },
  });
}
