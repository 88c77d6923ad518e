import {
  type Answer,
  attempt,
  type Attempts,
  defaultLimits,
  type Limits,
  type WriteOptions,
} from "./attempts.js";
import { type Batch, batchOf } from "./batches.js";
import { type Client, createClient, type Options } from "./client.js";
import { edit, remember, rememberTried } from "./edits.js";
import { Listing } from "./pages.js";
import { operations, type Operations } from "./operations.js";
import type { NoAnswer, Problem } from "./problem.js";
import { read, type Request, withKey } from "./requests.js";
import { Stream } from "./stream.js";
import type { Operation } from "./types.js";

export type WaybillOptions = Options & Partial<Limits>;

/** A function for each operation, batches of their writes, and the client below. */
export type Waybill = Operations & { batch: Batch; client: Client };

/** A result whose types are not known: those of an operation are in Result. */
export type AnyResult =
  | { ok: true; value: unknown; etag: string | undefined; replayed: boolean; dryRun: boolean }
  | { ok: false; error: Problem | NoAnswer };

/**
 * Sends one request of an operation until it is answered. Reads ignore dryRun. If it is refused, and an attempt
 * before may have taken effect, doubt may say that the refusal tells nothing.
 */
export type Send = (
  operation: Operation,
  request: Request,
  options?: WriteOptions,
  doubt?: (error: Problem) => NoAnswer | undefined,
) => Promise<AnyResult>;

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
  return { ...waybill, batch: batchOf(send), client } as unknown as Waybill;
}

function functionOf(operation: Operation, client: Client, send: Send, limits: Limits): Function {
  switch (operation.kind) {
    case "stream":
      return (options = {}) => new Stream(client, options, limits);
    case "list":
      return (...given: unknown[]) => {
        const { request, options } = read(operation, given);
        return new Listing((where, signal) => {
          return send(operation, pageOf(request, where), { ...options, ...(signal && { signal }) });
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

/** Returns the request of one page: where it begins is asked for like the rest, in the body of a search. */
function pageOf(request: Request, where: object): Request {
  return request.body === undefined
    ? { ...request, query: { ...request.query, ...where } }
    : { ...request, body: { ...request.body, ...where } };
}

/** Of the client, what does not depend on the types of one operation. */
type Untyped = { request(method: string, path: string, init: object): Promise<Answer> };

function sender(client: Client, limits: Limits): Send {
  return async (operation, { path, query, headers, body }, options = {}, doubt = () => undefined) => {
    const dryRun = options.dryRun === true && operation.method !== "GET" && operation.kind !== "list";
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
    if (dryRun) return resultOfDryRun(attempts);
    const result = resultOf(operation, attempts);
    if (result.ok || result.error.code === "no_answer" || !attempts.answer || !attempts.uncertain) return result;
    return { ok: false, error: doubt(result.error) ?? result.error };
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
