import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createHash } from "node:crypto";
import { resolveModel } from "../../../src/hub/resolve-model.ts";
import { writeTinyCheckpoint } from "../../../test/golden/tiny-checkpoint.ts";
import type { Kind } from "../kind.ts";
import type { Mutator } from "../mutator.ts";

const commit = "3333333333333333333333333333333333333333";

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

/** What a Hub answers, with one answer changed. */
function hostileHub(files: ReadonlyMap<string, Uint8Array>, mutator: Mutator): Answer {
  const target = mutator.pick(["info", "list", "file", "headers"]);
  const list = [...files].map(([path, bytes]) => ({
    type: "file",
    path,
    size: bytes.length,
    oid: createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
  }));
  const send = (response: ServerResponse, value: unknown, isChanged: boolean): void => {
    response.setHeader("content-type", "application/json");
    response.end(isChanged ? mutator.json(value) : JSON.stringify(value));
  };
  return (request, response) => {
    const url = request.url ?? "/";
    if (target === "headers") addHeader(response, mutator);
    if (url.includes("/revision/")) {
      send(response, { id: "own/tiny", sha: commit, siblings: [] }, target === "info");
    } else if (url.includes("/tree/")) send(response, list, target === "list");
    else {
      const name = decodeURIComponent(url.split("/").at(-1) ?? "");
      const bytes = files.get(name);
      if (!bytes) response.statusCode = 404;
      response.setHeader("x-repo-commit", commit);
      response.setHeader("etag", `"${list.find(({ path }) => path === name)?.oid}"`);
      const isChanged = target === "file" && mutator.prng.below(2) === 0;
      response.end(isChanged ? mutator.bytes(bytes ?? new Uint8Array(1)) : bytes);
    }
  };
}

const headers: readonly (readonly [string, string])[] = [
  ["content-encoding", "gzip"],
  ["location", "http://127.0.0.1:1/"],
  ["link", '<http://127.0.0.1:1/>; rel="next"'],
  ["link", "<"],
  ["link", `${"<a>; ".repeat(500)}rel="next"`],
  ["content-range", "bytes 5-1/0"],
  ["retry-after", "1e9"],
  ["etag", ""],
];

function addHeader(response: ServerResponse, mutator: Mutator): void {
  const [name, value] = mutator.pick(headers);
  mutator.changes.push(`${name}: ${value.slice(0, 40)}`);
  response.setHeader(name, value);
  if (mutator.prng.below(3) === 0)
    response.statusCode = mutator.pick([204, 301, 302, 401, 404, 416, 429, 500, 503]);
}

/** Answers of the Hugging Face Hub. */
export const hub: Kind = {
  id: "hub",
  title: "answers of a Hub",
  open: async (folder) => {
    const { path } = await writeTinyCheckpoint();
    const files = new Map(
      readdirSync(path).map((name) => [name, new Uint8Array(readFileSync(join(path, name)))]),
    );
    let answer: Answer = (_, response) => void response.end();
    const server = createServer((request, response) => answer(request, response));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    server.unref();
    const { port } = server.address() as AddressInfo;
    const cacheFolder = join(folder, "cache");
    const settings = {
      endpoint: `http://127.0.0.1:${port}`,
      cacheFolder,
      token: null,
      offline: false,
      stallMs: 1000,
      retryDelaysMs: [1],
    };
    return async (mutator) => {
      answer = hostileHub(files, mutator);
      try {
        await resolveModel("hf:own/tiny", { settings });
      } finally {
        rmSync(cacheFolder, { recursive: true, force: true });
        server.closeAllConnections();
      }
    };
  },
};
