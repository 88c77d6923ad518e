import { http, type HttpHandler, HttpResponse } from "msw";

import { examples, problems } from "./examples.js";
import { operations } from "./operations.js";
import type { Problem } from "./problem.js";
import type { Code, Operation, Schema, Value } from "./types.js";

/** An operation that has a handler. */
export type MockedId = keyof typeof operations;

/** A request as a handler sees it. */
export type Asked = { params: Record<string, string>; query: URLSearchParams; body: unknown };

/** What to answer: a problem of the operation's codes, another value than the example, or nothing at all. */
export type MockedAnswer<Id extends MockedId> =
  | ({ code: Code<Id>; retryAfter?: number } & Partial<Omit<Problem, "code" | "status">>)
  | { value: Value<Id> | ((asked: Asked) => Value<Id>) }
  | { lost: true };

export type MockOptions = {
  /** How many requests get the answer; all, until reset, by default. */
  times?: number;
};

export type WaybillHandlers = {
  /** The handlers: setupServer(...mock.handlers) in Node, setupWorker(...mock.handlers) in a browser. */
  handlers: HttpHandler[];
  /** Answers an operation otherwise. The answer that was given last is the first to be used. */
  respond<Id extends MockedId>(id: Id, answer: MockedAnswer<Id>, options?: MockOptions): void;
  /** Answers with the examples again. */
  reset(): void;
};

/**
 * Makes handlers for Mock Service Worker, for tests of a page without a server. Each operation answers with the
 * document's example, in which the id of the path and the members of the body are those of the request:
 *
 *     const mock = waybillHandlers({ origin: "https://waybill.example" });
 *     const server = setupServer(...mock.handlers);
 *     mock.respond("assign-pickup", { code: "driver_busy" });
 *     mock.respond("submit-pickup", { lost: true }, { times: 1 }); // the client tries again
 *
 * A row is read as it was answered last. Beyond that they keep no state: a pickup that was submitted is listed as the
 * example is, unless the test says otherwise.
 */
export function waybillHandlers({ origin }: { origin: string }): WaybillHandlers {
  const answers = new Map<MockedId, Planned[]>();
  const rows: Rows = new Map();
  // A path without a parameter, like that of the stream, is not to be taken for one with it.
  const ids = (Object.keys(operations) as MockedId[]).sort((a, b) => parameters(a) - parameters(b));
  return {
    handlers: ids.map((id) => handlerOf(id, origin.replace(/\/$/, ""), rows, () => next(answers.get(id)))),
    respond: (id, answer, { times = Infinity } = {}) => {
      answers.set(id, [{ answer: answer as AnyAnswer, left: times }, ...(answers.get(id) ?? [])]);
    },
    reset: () => {
      answers.clear();
      rows.clear();
    },
  };
}

type AnyAnswer = { code?: string; retryAfter?: number; value?: unknown; lost?: true };
/** The rows that were answered, by tag and id. */
type Rows = Map<string, Row>;
type Row = Record<string, unknown>;
type Planned = { answer: AnyAnswer; left: number };

function parameters(id: MockedId): number {
  return operations[id].params.length;
}

/** Takes the next answer that a test wants. */
function next(planned: Planned[] = []): AnyAnswer | undefined {
  const first = planned.find(({ left }) => left > 0);
  if (first) first.left--;
  return first?.answer;
}

function handlerOf(id: MockedId, origin: string, rows: Rows, planned: () => AnyAnswer | undefined): HttpHandler {
  const { method, path, tag }: Operation = operations[id];
  const verb = method.toLowerCase() as Lowercase<Operation["method"]>;
  return http[verb](origin + path.replace(/\{(\w+)\}/g, ":$1"), async ({ request, params }) => {
    const answer = planned();
    if (answer?.lost) return HttpResponse.error();
    if (answer?.code !== undefined) return refusal(id, answer as AnyAnswer & { code: string });
    const asked: Asked = {
      params: params as Record<string, string>,
      query: new URL(request.url).searchParams,
      body: await request.json().catch(() => undefined),
    };
    const isDryRun = asked.query.get("dry_run") === "true";
    const wanted = typeof answer?.value === "function" ? answer.value(asked) : answer?.value;
    if (id === "write-batch" && wanted === undefined) return batch(asked, isDryRun ? new Map() : rows, isDryRun);
    const value = wanted ?? known(id, rows, asked) ?? echoed(id, examples[id].value, asked);
    if (isDryRun) return success(id, value, request.signal, { "Dry-Run": "true" }); // and its row is not there
    keep(rows, tag, value);
    return success(id, value, request.signal);
  });
}

function keep(rows: Rows, tag: string, value: unknown): void {
  for (const row of (value as { items?: Row[] } | undefined)?.items ?? [value as Row | undefined]) {
    if (typeof row?.["id"] === "string") rows.set(tag + row["id"], row);
  }
}

type AskedItem = { operation: MockedId; path?: Record<string, string>; body?: unknown };

/** Answers each item of a batch as its operation is answered. */
function batch({ body }: Asked, rows: Rows, isDryRun: boolean): Response {
  const items = ((body as { items?: AskedItem[] } | undefined)?.items ?? []).map(({ operation, path = {}, body }) => {
    const { status, hasETag, value: example } = examples[operation];
    const value = echoed(operation, example, { params: path, query: new URLSearchParams(), body });
    keep(rows, operations[operation].tag, value);
    return { status, headers: hasETag ? etagOf(value) : {}, ...(value !== undefined && { body: value }) };
  });
  return HttpResponse.json({ items }, { headers: isDryRun ? { "Dry-Run": "true" } : {} });
}

function etagOf(value: unknown): { ETag: string } {
  const { version = 1 } = value as { version?: number };
  return { ETag: `"${version}"` };
}

/** Returns the row of a path if it was answered before. */
function known(id: MockedId, rows: Rows, { params }: Asked): Row | undefined {
  const { method, tag, params: names }: Operation = operations[id];
  const isReading = method === "GET" && names.length === 1 && names[0] === `${singular(tag)}_id`;
  return isReading && isOfRow(id) ? rows.get(tag + params[names[0]!]) : undefined;
}

/** Whether the path of an operation ends with the row's id. */
function isOfRow(id: MockedId): boolean {
  const { path, params }: Operation = operations[id];
  return path.endsWith(`{${params.at(-1)}}`);
}

function refusal(id: MockedId, { code, retryAfter, ...rest }: AnyAnswer & { code: string }): Response {
  const problem = problems[code];
  if (problem === undefined) throw new Error(`there is no code ${code}`);
  const status = examples[id].statuses[problem.code] ?? problem.status;
  const headers = { "Content-Type": "application/problem+json" };
  return HttpResponse.json(
    { ...problem, ...rest, status },
    { status, headers: { ...headers, ...(retryAfter !== undefined && { "Retry-After": String(retryAfter) }) } },
  );
}

function success(
  id: MockedId,
  value: unknown,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Response {
  const { status, hasETag } = examples[id];
  if (operations[id].kind === "stream") return eventStream(value as StreamMessage[], signal);
  if (value === undefined) return new HttpResponse(null, { status, headers });
  return HttpResponse.json(value as object, { status, headers: { ...headers, ...(hasETag && etagOf(value)) } });
}

/** Returns an example with the members of the request. */
function echoed(id: MockedId, example: unknown, { params, body }: Asked): unknown {
  if (typeof example !== "object" || example === null || Array.isArray(example)) return example;
  const { tag }: Operation = operations[id];
  const row: Row = { ...example };
  const last = operations[id].params.at(-1);
  const names = { ...(body as Row | undefined), ...params };
  // An entry of an account names that account, and has an id of its own.
  const isRow = last !== undefined && (isOfRow(id) || (last === `${singular(tag)}_id` && !(last in row)));
  if (isRow) names["id"] = params[last];
  for (const [name, value] of Object.entries(names)) {
    if (name in row && (typeof value !== "object" || value === null)) row[name] = value;
  }
  return row;
}

function singular(noun: string): string {
  return noun.replace(/ies$/, "y").replace(/s$/, "");
}

type StreamMessage = { id: string; event: string; data: Schema<"PickupEvent"> | object };

/** A stream that tells its messages, and stays open. */
function eventStream(messages: StreamMessage[], signal: AbortSignal): Response {
  const text = messages.map(({ id, event, data }) => `event: ${event}\nid: ${id}\ndata: ${JSON.stringify(data)}\n\n`);
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      controller.enqueue(new TextEncoder().encode(text.join("")));
      signal.addEventListener("abort", () => controller.error(signal.reason), { once: true });
    },
  });
  return new HttpResponse(body, { headers: { "Content-Type": "text/event-stream" } });
}
