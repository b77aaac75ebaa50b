import { execFileSync } from "node:child_process";
import * as fs from "node:fs/promises";
import { createServer } from "node:net";
import * as os from "node:os";
import * as path from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { FormatError } from "../util/errors.ts";
import * as platform from "./node.ts";

/* What stands in the place of a file and is none: named, never waited for. */

let folder = "";
const at = (name: string): string => path.join(folder, name);
const server = createServer();

beforeAll(async () => {
  folder = await fs.mkdtemp(path.join(os.tmpdir(), "fewbit-open-"));
  execFileSync("mkfifo", [at("pipe")]);
  await fs.mkdir(at("folder"));
  await fs.symlink(at("pipe"), at("link"));
  await new Promise<void>((resolve) => server.listen(at("socket"), resolve));
});
afterAll(async () => {
  await new Promise((resolve) => server.close(resolve));
  await fs.rm(folder, { recursive: true, force: true });
});

const impostors: [what: string, name: string, said: RegExp][] = [
  ["a pipe", "pipe", /pipe: it is a named pipe, not a file/],
  ["a link to a pipe", "link", /link: it is a named pipe, not a file/],
  ["a directory", "folder", /folder: it is a directory, not a file/],
  ["a socket", "socket", /socket: it is a socket, not a file/],
  ["a device", "/dev/zero", /zero: it is a device, not a file/],
];

describe.skipIf(process.platform === "win32").each(impostors)("%s", (_, name, said) => {
  const file = (): string => (path.isAbsolute(name) ? name : at(name));
  const uses: [what: string, use: (file: string) => Promise<unknown>][] = [
    ["is not read in places", platform.openForReading],
    ["is not read whole", platform.readText],
    ["is not hashed", platform.sha256OfFile],
    ["is not copied", (from) => platform.copyFile(from, at("copy"))],
    ["is not written to", platform.openForWriting],
    ["is not written on", platform.openForGrowing],
    ["is not made durable", platform.syncFile],
    ["is no database", (from) => platform.openDatabase(from)],
    ["is no database to read", (from) => platform.openDatabase(from, { readOnly: true })],
  ];
  test.each(uses)("%s", async (_use, use) => {
    const refused = use(file());
    await expect(refused).rejects.toThrow(FormatError);
    await expect(refused).rejects.toThrow(said);
  });
});

test.skipIf(process.platform === "win32")(
  "a pipe beside a database is not waited for",
  async () => {
    (await platform.openDatabase(at("results.db"))).close();
    execFileSync("mkfifo", [at("results.db-journal")]);
    await expect(platform.openDatabase(at("results.db"))).rejects.toThrow(
      /db-journal: it is a named/,
    );
  },
);

test("a file that is missing or may not be read is told apart from one that is none", async () => {
  await expect(platform.openForReading(at("no"))).rejects.toThrow(/no: it does not exist/);
  await expect(platform.openForReading(at("folder/no/x"))).rejects.toThrow(/cannot read .*x: /);
});
