// Bundles the scripts of pages and the chat page, then src/ to dist/, as it is published: bundles, declarations, and
// the command executable.
import { spawnSync } from "node:child_process";
import { chmodSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";
import { bundleProgram } from "./bundle-program.ts";
import { bundlePageScript, pageScripts } from "./page-script.ts";

const root = fileURLToPath(new URL("..", import.meta.url));
const typescript = join(root, "node_modules", "typescript");
const { bin } = JSON.parse(readFileSync(join(typescript, "package.json"), "utf8"));

for (const script of pageScripts) writeFileSync(script.file, await bundlePageScript(script));
rmSync(join(root, "dist"), { recursive: true, force: true });
const compiler = [join(typescript, bin.tsc), "-p", join(root, "tsconfig.build.json")];
const { status } = spawnSync(process.execPath, compiler, { cwd: root, stdio: "inherit" });
if (status === 0) await bundleProgram({ folder: join(root, "dist"), whole: false });
if (status === 0) await build({ configFile: join(root, "apps/chat/vite.config.ts") });
if (status === 0) chmodSync(join(root, "dist", "cli", "main.js"), 0o755);
process.exitCode = status ?? 1;
