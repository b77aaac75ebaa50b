import * as fs from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import {
  gitId,
  HubServer,
  hubToken,
  type ServedRepo,
  sha256,
} from "../../test/fixtures/hub-server.ts";
import {
  CancelledError,
  FewbitError,
  FormatError,
  NetworkError,
  UsageError,
} from "../util/errors.ts";
import type { DownloadProgress } from "./download-progress.ts";
import type { HubSettings } from "./hub-settings.ts";
import { type ResolveOptions, resolveModel } from "./resolve-model.ts";

const commit = "1111111111111111111111111111111111111111";
const older = "2222222222222222222222222222222222222222";
const text = (value: string): Buffer => Buffer.from(value);
const weights = Buffer.from(Uint8Array.from({ length: 300_000 }, (_, i) => (i * 31) >> 3));
const otherWeights = Buffer.from(weights.map((byte) => byte ^ 0x55));

const files = {
  "README.md": text("# model"),
  "config.json": text("{}"),
  "model.safetensors": weights,
  "onnx/model.onnx": text("onnx"),
  "pytorch_model.bin": text("torch"),
  "tokenizer.json": Buffer.alloc(2000, "t"),
  "tokenizer_config.json": text("{ }"),
};
const repo: ServedRepo = {
  commits: { [commit]: files, [older]: { ...files, "model.safetensors": otherWeights } },
  refs: { main: commit, v1: older },
};
const index = {
  weight_map: { a: "model-00001-of-00002.safetensors", b: "model-00002-of-00002.safetensors" },
};
const sharded: ServedRepo = {
  commits: {
    [commit]: {
      "config.json": text("{}"),
      "model-00001-of-00002.safetensors": weights,
      "model-00001-of-00003.safetensors": text("left over"),
      "model-00002-of-00002.safetensors": otherWeights,
      "model.safetensors.index.json": text(JSON.stringify(index)),
    },
  },
  refs: { main: commit },
};

const ggufs: ServedRepo = {
  commits: {
    [commit]: {
      "README.md": text("# files"),
      "m-Q4_K_M.gguf": weights,
      "m-Q8_0.gguf": otherWeights,
      "big/m-00001-of-00002.gguf": weights,
      "big/m-00002-of-00002.gguf": otherWeights,
    },
  },
  refs: { main: commit },
};

let server: HubServer;
let folder = "";
let settings: HubSettings;
let notices: string[] = [];
beforeEach(async () => {
  folder = await fs.mkdtemp(join(tmpdir(), "fewbit-hub-"));
  server = await HubServer.start({
    "own/model": repo,
    "own/sharded": sharded,
    "own/gguf": ggufs,
    "own/gated": { ...repo, access: "gated" },
    "own/private": { ...repo, access: "private" },
    "own/torch": {
      commits: { [commit]: { "config.json": text("{}"), "a.bin": weights } },
      refs: { main: commit },
    },
  });
  settings = {
    endpoint: server.endpoint,
    cacheFolder: join(folder, "hub"),
    token: null,
    offline: false,
    stallMs: 5000,
    retryDelaysMs: [1, 1, 1],
  };
  notices = [];
});
afterEach(async () => {
  await server.close();
  await fs.rm(folder, { recursive: true, force: true });
});

const resolve = (source: string, options: ResolveOptions = {}) =>
  resolveModel(source, { settings, onNotice: (notice) => notices.push(notice), ...options });
const cached = (...parts: string[]): string => join(folder, "hub", "models--own--model", ...parts);
const failure = async (work: Promise<unknown>): Promise<FewbitError> => {
  const error = await work.then(
    () => new Error("nothing failed"),
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(FewbitError);
  return error as FewbitError;
};
const incomplete = async (): Promise<string[]> =>
  (await fs.readdir(cached("blobs"))).filter((name) => name.endsWith(".incomplete"));

/** Bytes that are there of the weights. */
async function partialBytes(): Promise<number> {
  const partial = (await incomplete()).find((name) => name.startsWith(sha256(weights)));
  return partial === undefined ? 0 : (await fs.stat(cached("blobs", partial))).size;
}

describe("download", () => {
  test("a directory is taken as it is, without a request", async () => {
    expect(await resolve("./some/model")).toEqual({
      directory: "./some/model",
      name: "model",
      source: "./some/model",
      origin: null,
    });
    expect(server.requests).toEqual([]);
  });

  test("the cache is laid out as Python's huggingface_hub does it", async () => {
    const { directory, name, source, origin } = await resolve("hf:own/model");
    expect({ directory, name, source }).toEqual({
      directory: cached("snapshots", commit),
      name: "model",
      source: `hf:own/model@${commit}`,
    });
    expect(origin).toEqual({ repo: "own/model", revision: "main", commit });
    expect(await fs.readFile(cached("refs", "main"), "utf8")).toBe(commit);
    expect((await fs.readdir(directory)).sort()).toEqual([
      "config.json",
      "model.safetensors",
      "tokenizer.json",
      "tokenizer_config.json",
    ]);
    expect(await fs.readlink(join(directory, "config.json"))).toBe(
      join("..", "..", "blobs", gitId(files["config.json"])),
    );
    expect(await fs.readlink(join(directory, "model.safetensors"))).toBe(
      join("..", "..", "blobs", sha256(weights)),
    );
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
    const tree = JSON.parse(await fs.readFile(cached("trees", `${commit}.json`), "utf8"));
    expect(tree.format_version).toBe(1);
    expect(Object.keys(tree.files)).toEqual(Object.keys(files).sort());
    expect(tree.files["model.safetensors"]).toMatchObject({
      size: weights.length,
      lfs_sha256: sha256(weights),
      lfs_size: weights.length,
    });
    expect(tree.files["config.json"]).toEqual({ size: 2, blob_id: gitId(files["config.json"]) });
    expect(await incomplete()).toEqual([]);
  });

  test("a second time one request asks for the commit, and a known commit needs none", async () => {
    await resolve("hf:own/model");
    server.requests.length = 0;
    await resolve("hf:own/model");
    expect(server.requests.map(({ path }) => path)).toEqual([
      "/api/models/own/model/revision/main",
    ]);
    server.requests.length = 0;
    await resolve(`hf:own/model@${commit}`);
    expect(server.requests).toEqual([]);
  });

  test("another revision shares the files that are the same", async () => {
    await resolve("hf:own/model");
    server.requests.length = 0;
    const { directory, origin } = await resolve("hf:own/model@v1");
    expect(origin?.commit).toBe(older);
    expect(server.downloads).toEqual(["model.safetensors"]);
    expect(
      Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), otherWeights),
    ).toBe(0);
    expect(await fs.readFile(cached("refs", "v1"), "utf8")).toBe(older);
  });

  test("of shards those are taken that the index names", async () => {
    const { directory } = await resolve("hf:own/sharded");
    expect((await fs.readdir(directory)).sort()).toEqual([
      "config.json",
      "model-00001-of-00002.safetensors",
      "model-00002-of-00002.safetensors",
      "model.safetensors.index.json",
    ]);
  });

  test("a token goes to the Hub and not to the server that it redirects to", async () => {
    settings = { ...settings, token: hubToken };
    await resolve("hf:own/private");
    const sent = (name: string) =>
      new Set(server.requests.filter((r) => r.server === name).map((r) => r.authorization));
    expect(sent("hub")).toEqual(new Set([`Bearer ${hubToken}`]));
    expect(sent("cdn")).toEqual(new Set([undefined]));
  });

  test("progress counts the bytes of all files and ends with their sum", async () => {
    const seen: DownloadProgress[] = [];
    await resolve("hf:own/model", { onDownload: (progress) => seen.push(progress) });
    const total = 2 + 3 + 2000 + weights.length;
    expect(seen.at(-1)).toMatchObject({
      repo: "own/model",
      commit,
      files: 4,
      fileNumber: 4,
      bytes: total,
      totalBytes: total,
    });
    const bytes = seen.map((progress) => progress.bytes);
    expect(bytes).toEqual(bytes.toSorted((a, b) => a - b));
    expect(new Set(seen.map(({ file }) => file)).size).toBe(4);
  });
});

describe("a broken connection", () => {
  test("is opened again at the byte where it broke", async () => {
    server.breakNext("model.safetensors", { cutAt: 100_000 }, { cutAt: 250_000 });
    const { directory } = await resolve("hf:own/model");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
    const starts = server.downloads.filter((name) => name.startsWith("model.safetensors"));
    expect(starts).toHaveLength(3);
    expect(starts[0]).toBe("model.safetensors");
    for (const start of starts.slice(1)) expect(start).toMatch(/^model\.safetensors from [1-9]/);
  });

  test("that stays broken ends in an error; the next command resumes with what was received", async () => {
    const busy = { status: 503 };
    server.breakNext("model.safetensors", { cutAt: 100_000 }, busy, busy, busy);
    const error = await failure(resolve("hf:own/model"));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toMatch(/model\.safetensors broke off/);
    expect(error.hint).toMatch(/resumes where it stopped/);
    const [partial] = await incomplete();
    const { size } = await fs.stat(cached("blobs", partial ?? ""));
    expect(size).toBeGreaterThan(0);
    server.requests.length = 0;
    const seen: DownloadProgress[] = [];
    await resolve("hf:own/model", { onDownload: (progress) => seen.push(progress) });
    expect(server.downloads).toEqual([`model.safetensors from ${size}`]);
    expect(seen.at(-1)?.bytes).toBe(weights.length);
    expect(await incomplete()).toEqual([]);
  });

  test("a server that ignores where to begin sends the whole file, which is taken", async () => {
    server.breakNext("model.safetensors", { cutAt: 100_000 }, { whole: true });
    const { directory } = await resolve("hf:own/model");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
  });

  test("a server that falls silent counts as lost", async () => {
    settings = { ...settings, stallMs: 200 };
    server.breakNext("model.safetensors", { silentAt: 100_000 });
    const { directory } = await resolve("hf:own/model");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
  });

  test("a server that lets the bytes of a file drip counts as lost", async () => {
    settings = { ...settings, stallMs: 200 };
    server.breakNext("model.safetensors", { silentAt: 100_000, dripMs: 20 });
    const { directory } = await resolve("hf:own/model");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
  });

  test("an answer without end, fast or slow, is not read on for ever", async () => {
    const fault = { endless: Number.POSITIVE_INFINITY };
    for (const part of ["/revision/", "/tree/"]) {
      server.breakNext(part, fault);
      const error = await failure(resolve("hf:own/model"));
      expect(error, part).toBeInstanceOf(FormatError);
      expect(error.message, part).toMatch(/the answer of 127\.0\.0\.1:\d+ has more than 16 MB/);
    }
    settings = { ...settings, stallMs: 100, retryDelaysMs: [] };
    server.breakNext("/tree/", { dripMs: 5 });
    const error = await failure(resolve("hf:own/model"));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toMatch(/sent next to nothing for 0\.1 s/);
  });

  test.each([5, {}, null, "text", [null], [5], [[[]]]])(
    "a list that is %j is refused",
    async (json) => {
      server.breakNext("/tree/", { json });
      const error = await failure(resolve("hf:own/model"));
      expect(error).toBeInstanceOf(FormatError);
      server.breakNext("/revision/", { json });
      expect(await failure(resolve("hf:own/model"))).toBeInstanceOf(FormatError);
    },
  );

  test("a list that leads back to itself is refused", async () => {
    const path = `${server.endpoint}/api/models/own/model/tree/${commit}?again`;
    const link = { link: `<${path}>; rel="next"` };
    server.breakNext("/tree/", { headers: link }, { headers: link }, { headers: link });
    const error = await failure(resolve("hf:own/model"));
    expect(error).toBeInstanceOf(FormatError);
    expect(error.message).toMatch(/leads back to a page of its list/);
  });

  test("redirects that lead round are followed once, not again and again", async () => {
    const path = `${server.endpoint}/own/model/resolve/${commit}/config.json`;
    const round = { status: 302, headers: { location: path } };
    server.breakNext("config.json", ...Array.from({ length: 60 }, () => round));
    const error = await failure(resolve("hf:own/model"));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toMatch(/redirect/);
    expect(server.downloads.length).toBeLessThan(30);
  });

  test("a busy server is asked again after the time that it names", async () => {
    server.breakNext("/tree/", { status: 429, headers: { "retry-after": "0" } });
    server.breakNext("tokenizer.json", { status: 500 });
    await resolve("hf:own/model");
    expect(server.requests.filter(({ path }) => path.includes("/tree/")).length).toBeGreaterThan(3);
  });

  test("cancelling keeps what came", async () => {
    const controller = new AbortController();
    settings = { ...settings, stallMs: 60_000 };
    server.breakNext("model.safetensors", { silentAt: 100_000 });
    const work = resolve("hf:own/model", { signal: controller.signal });
    const cancelled = expect(work).rejects.toThrow(CancelledError);
    // The server waits for ever: sooner or later some of the weights are there.
    await vi.waitFor(async () => expect(await partialBytes()).toBeGreaterThan(0), 60_000);
    controller.abort();
    await cancelled;
    expect(await incomplete()).toHaveLength(1);
    expect(await partialBytes()).toBeGreaterThan(0);
  });
});

describe("a file with a wrong checksum", () => {
  test.each(["model.safetensors", "config.json"])("%s is downloaded again", async (name) => {
    server.breakNext(name, { corrupt: true });
    const { directory } = await resolve("hf:own/model");
    expect(await fs.readFile(join(directory, "config.json"), "utf8")).toBe("{}");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
    expect(notices).toEqual([
      `${name} came with another checksum than the repository names; it is downloaded again`,
    ]);
  });

  test("is an error the second time, and nothing of it stays", async () => {
    server.breakNext("model.safetensors", { corrupt: true }, { corrupt: true });
    const error = await failure(resolve("hf:own/model"));
    expect(error.message).toMatch(/model\.safetensors came with another checksum .* twice/);
    expect(await incomplete()).toEqual([]);
    expect(await fs.readdir(cached("blobs"))).not.toContain(sha256(weights));
  });

  test("a partial file with wrong bytes is dropped and fetched whole", async () => {
    await fs.mkdir(cached("blobs"), { recursive: true });
    server.breakNext("model.safetensors", ...Array.from({ length: 4 }, () => ({ cutAt: 50_000 })));
    await failure(resolve("hf:own/model"));
    const [partial = ""] = await incomplete();
    await fs.writeFile(cached("blobs", partial), Buffer.alloc(60_000, 7));
    const { directory } = await resolve("hf:own/model");
    expect(Buffer.compare(await fs.readFile(join(directory, "model.safetensors")), weights)).toBe(
      0,
    );
    expect(notices).toHaveLength(1);
  });
});

describe("refusals say what to do", () => {
  const cases = [
    ["hf:own/none", /has no model own\/none, or keeps it private/, /HF_TOKEN/],
    ["hf:own/private", /has no model own\/private, or keeps it private/, /HF_TOKEN/],
    [
      "hf:own/gated",
      /own\/gated is only for those who accepted its licence/,
      /accept it on .*own\/gated/,
    ],
    ["hf:own/model@v9", /own\/model has no branch, tag or commit v9/, /own\/model\/tree\/main/],
    ["hf:own/torch", /own\/torch has PyTorch weights \(a\.bin\)/, /convert/],
  ] as const;
  test.each(cases)("%s", async (source, message, hint) => {
    const error = await failure(resolve(source));
    expect(error.message).toMatch(message);
    expect(error.hint).toMatch(hint);
  });

  test("without the network and the cache the host is named", async () => {
    await server.close();
    const error = await failure(resolve("hf:own/model"));
    expect(error).toBeInstanceOf(NetworkError);
    expect(error.message).toMatch(/127\.0\.0\.1:\d+ refuses connections/);
  });

  test("a list with hashes that are paths is refused", async () => {
    await fs.mkdir(cached("trees"), { recursive: true });
    const entry = { size: 2, blob_id: "../../../../evil" };
    await fs.writeFile(
      cached("trees", `${commit}.json`),
      JSON.stringify({ format_version: 1, files: { "config.json": entry } }),
    );
    // The list is not taken, and the server's in its place.
    const { directory } = await resolve("hf:own/model");
    expect(await fs.readdir(directory)).toContain("model.safetensors");
  });
});

describe("without the network", () => {
  test("HF_HUB_OFFLINE makes no request and takes the cache", async () => {
    const { directory } = await resolve("hf:own/model");
    server.requests.length = 0;
    settings = { ...settings, offline: true };
    expect((await resolve("hf:own/model")).directory).toBe(directory);
    expect((await resolve(`hf:own/model@${commit}`)).directory).toBe(directory);
    const error = await failure(resolve("hf:own/model@v1"));
    expect(error).toBeInstanceOf(UsageError);
    expect(error.hint).toMatch(/HF_HUB_OFFLINE/);
    expect(server.requests).toEqual([]);
  });

  test("an unreachable Hub leaves the cache, with a note", async () => {
    const { directory } = await resolve("hf:own/model");
    await server.close();
    expect((await resolve("hf:own/model")).directory).toBe(directory);
    expect(notices).toHaveLength(1);
    expect(notices[0]).toMatch(/refuses connections; taking own\/model as it was last downloaded/);
  });

  test("a snapshot that Python downloaded without a list is taken", async () => {
    const { directory } = await resolve("hf:own/model");
    await fs.rm(cached("trees"), { recursive: true });
    settings = { ...settings, offline: true };
    expect((await resolve("hf:own/model")).directory).toBe(directory);
  });

  test("a blob of the wrong size is not taken for the file", async () => {
    await resolve("hf:own/model");
    await fs.truncate(cached("blobs", sha256(weights)), 10);
    const { directory } = await resolve("hf:own/model");
    expect((await fs.stat(join(directory, "model.safetensors"))).size).toBe(weights.length);
  });
});

describe("a GGUF file of a repository", () => {
  test("is downloaded alone, and found again without the network", async () => {
    const found = await resolve("hf:own/gguf:m-Q4_K_M.gguf");
    const path = join(settings.cacheFolder, "models--own--gguf/snapshots", commit, "m-Q4_K_M.gguf");
    expect(found).toEqual({
      directory: path,
      name: "m-Q4_K_M.gguf",
      source: `hf:own/gguf@${commit}:m-Q4_K_M.gguf`,
      origin: { repo: "own/gguf", revision: "main", commit },
    });
    expect(await fs.readFile(path)).toEqual(weights);
    expect(await fs.readdir(join(path, ".."))).toEqual(["m-Q4_K_M.gguf"]);
    await server.close();
    expect((await resolve(found.source)).directory).toBe(path);
  });

  test("that is split comes with its other parts", async () => {
    const { directory } = await resolve("hf:own/gguf@main:big/m-00002-of-00002.gguf");
    expect((await fs.readdir(join(directory, ".."))).sort()).toEqual([
      "m-00001-of-00002.gguf",
      "m-00002-of-00002.gguf",
    ]);
  });

  test("that is not there is refused with the nearest name, or with those that are there", async () => {
    await expect(resolve("hf:own/gguf:m-Q4_K_S.gguf")).rejects.toMatchObject({
      message: "own/gguf has no file m-Q4_K_S.gguf",
      hint: "did you mean m-Q4_K_M.gguf?",
    });
    await expect(resolve("hf:own/gguf:something-else.gguf")).rejects.toMatchObject({
      hint: expect.stringMatching(/its GGUF files: .*"m-Q8_0\.gguf"/),
    });
    await expect(resolve("hf:own/gguf")).rejects.toMatchObject({
      message: "own/gguf holds its model as GGUF, each file of which is one",
      hint: expect.stringMatching(/name a file: hf:own\/gguf:big\/m-00001.*"m-Q4_K_M\.gguf"/),
    });
    await expect(resolve("hf:own/model:m.gguf")).rejects.toMatchObject({
      hint: "it has no GGUF files",
    });
  });
});
