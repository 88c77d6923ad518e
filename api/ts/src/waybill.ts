import {
  type Answer,
  attempt,
  type Attempts,
  defaultLimits,
  type Limits,
  type WriteOptions,
} from "./attempts.js";
import { type Client, createClient, type Options } from "./client.js";
import { edit, remember, rememberTried } from "./edits.js";
import { Listing } from "./pages.js";
import { operations, type Operations } from "./operations.js";
import type { NoAnswer, Problem } from "./problem.js";
import { Stream } from "./stream.js";
import type { Operation } from "./types.js";

export type WaybillOptions = Options & Partial<Limits>;

/** A function for each operation, and the client below. */
export type Waybill = Operations & { client: Client };

/** A result whose types are not known: those of an operation are in Result. */
export type AnyResult =
  | { ok: true; value: unknown; etag: string | undefined; replayed: boolean; dryRun: boolean }
  | { ok: false; error: Problem | NoAnswer };

/** The parts of a request. */
export type Request = { path: string[]; query?: object; headers?: Record<string, string>; body?: unknown };

/** Sends one request of an operation until it is answered. Reads ignore dryRun. */
export type Send = (operation: Operation, request: Request, options?: WriteOptions) => Promise<AnyResult>;

/**
 * Makes the functions that call Waybill:
 *
 *     const waybill = createWaybill({ baseUrl, token });
 *     const submitted = await waybill.pickups.submit(id);
 *     for await (const pickup of waybill.pickups.list({ status: "SUBMITTED" })) show(pickup);
 *
 * A call is one intent: however often it is sent until it is answered, it takes effect once.
 */
export function createWaybill(options: WaybillOptions): Waybill {
  const { deadline, attemptTimeout, firstPause, longestPause, ...rest } = options;
  const given = { deadline, attemptTimeout, firstPause, longestPause };
  const limits = { ...defaultLimits };
  for (const [name, limit] of Object.entries(given)) if (limit !== undefined) limits[name as keyof Limits] = limit;
  const client = createClient(rest);
  const send = sender(client, limits);
  const waybill: Record<string, Record<string, unknown>> = {};
  for (const operation of Object.values<Operation>(operations)) {
    (waybill[operation.tag] ??= {})[operation.name] = functionOf(operation, client, send, limits);
  }
  return { ...waybill, client } as unknown as Waybill;
}

function functionOf(operation: Operation, client: Client, send: Send, limits: Limits): Function {
  switch (operation.kind) {
    case "stream":
      return (options = {}) => new Stream(client, options, limits);
    case "list":
      return (...given: unknown[]) => {
        const { request, options } = read(operation, given);
        return new Listing((where, signal) => {
          const page = { ...request, query: { ...request.query, ...where } };
          return send(operation, page, { ...options, ...(signal && { signal }) });
        });
      };
    case "edit":
      return (row: object, change: object, options = {}) => edit(operation, row, change, options, send);
    case "call":
      return (...given: unknown[]) => {
        const { request, options } = read(operation, given);
        return send(operation, withKey(operation, request, options), options);
      };
  }
}

type AllOptions = WriteOptions & { idempotencyKey?: string; ifMatch?: string };

/** Reads the arguments of a function: the parameters of the path, the body, the query, the options. */
function read(operation: Operation, given: unknown[]): { request: Request; options: AllOptions } {
  const rest = [...given];
  const path = rest.splice(0, operation.params.length) as string[];
  const request: Request = { path };
  if (operation.body) request.body = rest.shift();
  if (operation.query) request.query = (rest.shift() ?? {}) as object;
  return { request, options: (rest.shift() ?? {}) as AllOptions };
}

/** Adds what makes all attempts one intent. */
function withKey(operation: Operation, request: Request, options: AllOptions): Request {
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
function newId(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6]! & 0x0f) | 0x40;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join("-");
}

/** Of the client, what does not depend on the types of one operation. */
type Untyped = { request(method: string, path: string, init: object): Promise<Answer> };

function sender(client: Client, limits: Limits): Send {
  return async (operation, { path, query, headers, body }, options = {}) => {
    const dryRun = options.dryRun === true && operation.method !== "GET";
    if (dryRun && !operation.dryRun) throw new TypeError(`${operation.tag}.${operation.name} has no dry run`);
    const params = {
      path: Object.fromEntries(operation.params.map((name, i) => [name, path[i]])),
      query: { ...query, ...(dryRun && { dry_run: true }) },
      header: headers ?? {},
    };
    const attempts = await attempt(
      (signal) =>
        (client as unknown as Untyped).request(operation.method.toLowerCase(), operation.path, {
          params,
          signal,
          ...(body !== undefined && { body }),
        }),
      options,
      limits,
    );
    return dryRun ? resultOfDryRun(attempts) : resultOf(operation, attempts);
  };
}

/** The result of a dry run. Its ETag is left out: the version may become that of another write. */
function resultOfDryRun(attempts: Attempts): AnyResult {
  if (attempts.answer === undefined) return { ok: false, error: attempts.error };
  const { data, error, response } = attempts.answer;
  if (error !== undefined) return { ok: false, error: error as Problem };
  if (response.headers.get("Dry-Run") !== "true") {
    const detail = "The answer does not say that it is of a dry run: the write may have been made.";
    return { ok: false, error: { code: "no_answer", detail } };
  }
  rememberTried(data);
  return { ok: true, value: data, etag: undefined, replayed: isReplayed(response), dryRun: true };
}

function isReplayed(response: Response): boolean {
  return response.headers.get("Idempotency-Replayed") === "true";
}

function resultOf(operation: Operation, attempts: Attempts): AnyResult {
  if (attempts.answer === undefined) return { ok: false, error: attempts.error };
  const { data, error, response } = attempts.answer;
  const etag = response.headers.get("ETag") ?? undefined;
  if (error === undefined) {
    remember(data, etag);
    return { ok: true, value: data, etag, replayed: isReplayed(response), dryRun: false };
  }
  if (attempts.uncertain && operation.method === "DELETE" && isGone(operation, response.status)) {
    return { ok: true, value: undefined, etag: undefined, replayed: true, dryRun: false };
  }
  return { ok: false, error: error as Problem };
}

/** Whether a removal that may have been carried out was: the row is not there, or the session has ended. */
function isGone(operation: Operation, status: number): boolean {
  return status === 404 || (status === 401 && operation.params.length === 0);
}
