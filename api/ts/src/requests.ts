import type { WriteOptions } from "./attempts.js";
import type { Operation } from "./types.js";

/** The parts of a request. */
export type Request = { path: string[]; query?: object; headers?: Record<string, string>; body?: unknown };

/** The options of all calls. */
export type AllOptions = WriteOptions & { idempotencyKey?: string; ifMatch?: string };

/** Reads the arguments of a function: the parameters of the path, the body, the query, the options. */
export function read(operation: Operation, given: unknown[]): { request: Request; options: AllOptions } {
  const rest = [...given];
  const path = rest.splice(0, operation.params.length) as string[];
  const request: Request = { path };
  if (operation.body) request.body = rest.shift();
  if (operation.query) request.query = (rest.shift() ?? {}) as object;
  return { request, options: (rest.shift() ?? {}) as AllOptions };
}

/** Adds what makes all attempts one intent. */
export function withKey(operation: Operation, request: Request, options: AllOptions): Request {
  const headers: Record<string, string> = {};
  if (options.ifMatch !== undefined) headers["If-Match"] = options.ifMatch;
  const { body } = request;
  const id = (body as { id?: string } | undefined)?.id;
  switch (operation.key) {
    case "key": // a create whose body has an id needs no key
      if (options.idempotencyKey !== undefined || id === undefined) {
        headers["Idempotency-Key"] = options.idempotencyKey ?? newId();
      }
      return { ...request, headers };
    case "id":
      return { ...request, headers, body: { ...(body as object), id: id ?? newId() } };
    case "none":
      return { ...request, headers };
  }
}

/** Returns a random UUID, also where the page has no secure context, in which crypto.randomUUID is missing. */
export function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}
