import { readPackageFiles } from "../platform/node.ts";
import type { Asset } from "./server-context.ts";

/** Media types of the files that the chat page is made of. */
const types: Readonly<Record<string, string>> = {
  html: "text/html; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
};

/**
 * Reads the chat page as `npm run build` made it, by the paths that browsers ask for, `/` among
 * them; empty where it was not built.
 */
export async function readPageAssets(): Promise<ReadonlyMap<string, Asset>> {
  const assets = new Map<string, Asset>();
  for (const [path, bytes] of await readPackageFiles("dist/chat")) {
    const type = types[path.slice(path.lastIndexOf(".") + 1)];
    if (type === undefined) continue;
    assets.set(path === "index.html" ? "/" : `/${path}`, { bytes, type });
  }
  return assets;
}
