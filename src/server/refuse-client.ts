import { systemErrorCode } from "../platform/node.ts";
import { ApiError } from "./api-error.ts";

/** A connection to a client. */
interface Socket {
  readonly writable: boolean;
  destroy(): void;
  end(text: string): void;
}

const broken: Readonly<Record<string, { readonly status: string; readonly message: string }>> = {
  HPE_HEADER_OVERFLOW: {
    status: "431 Request Header Fields Too Large",
    message: "the head of the request is too large",
  },
  ERR_HTTP_REQUEST_TIMEOUT: {
    status: "408 Request Timeout",
    message: "the request took too long to arrive",
  },
};

/** What is no HTTP gets an answer that no route can give, and its connection ends. */
export function refuseClient(error: Error, socket: Socket): void {
  const code = systemErrorCode(error) ?? "";
  if (code === "ECONNRESET" || !socket.writable) {
    socket.destroy();
    return;
  }
  const { status, message } = broken[code] ?? {
    status: "400 Bad Request",
    message: "this is no HTTP request that can be read",
  };
  const body = JSON.stringify(new ApiError(Number.parseInt(status, 10), message));
  const head = `content-type: application/json\r\ncontent-length: ${body.length}`;
  socket.end(`HTTP/1.1 ${status}\r\nconnection: close\r\n${head}\r\n\r\n${body}`);
}
