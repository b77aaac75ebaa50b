import { expect, test } from "vitest";
import { eventStream, type ServerEvent } from "./event-stream.ts";

async function* slowly(): AsyncGenerator<ServerEvent, void, void> {
  yield { data: { first: true } };
  await new Promise((resolve) => setTimeout(resolve, 80));
  yield { event: "named", data: "[DONE]" };
}

test("says by comments that an answer still comes", async () => {
  const ends: number[] = [];
  const how = { stallMs: 1000, silentMs: 20, onEnd: (status: number) => ends.push(status) };
  const text = await eventStream(slowly(), how).text();
  expect(text).toMatch(/^data: {"first":true}\n\n(:\n\n)+event: named\ndata: \[DONE\]\n\n$/);
  expect(ends).toEqual([200]);
});

test("is cut when nobody reads it, and tells of an error midway", async () => {
  const ends: number[] = [];
  const onEnd = (status: number): number => ends.push(status);
  const unread = eventStream(slowly(), { stallMs: 10, onEnd }).body?.getReader();
  await unread?.read();
  await expect.poll(() => ends).toEqual([499]);
  await expect(unread?.read()).rejects.toThrow("the client does not read");
  async function* broken(): AsyncGenerator<ServerEvent, void, void> {
    yield { data: {} };
    throw new Error("within");
  }
  const text = await eventStream(broken(), { stallMs: 1000, onEnd }).text();
  expect(text).toContain('"code":"internal_error"');
  expect(ends.at(-1)).toBe(500);
});
