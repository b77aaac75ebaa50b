import { expect, test } from "vitest";
import { EventReader } from "./event-stream.ts";

const stream =
  ": a comment\ndata: one\n\ndata: first line\ndata: second line\r\n\r\nevent: x\nid: 3\n\ndata:{}\n\ndata: cut";
const events = ["one", "first line\nsecond line", "{}"];

test.each([1, 2, 3, 7, 1000])(
  "events are the same however the stream is cut: parts of %i",
  (size) => {
    const reader = new EventReader();
    const found: string[] = [];
    for (let at = 0; at < stream.length; at += size) {
      found.push(...reader.push(stream.slice(at, at + size)));
    }
    expect(found).toEqual(events);
  },
);
