import type { KeyedOptions } from "./attempts.js";
import { etagOf, pathOf, refuseTried, remember, rememberTried } from "./edits.js";
import { type BatchArguments, operations } from "./operations.js";
import type { NoAnswer, Problem } from "./problem.js";
import { type AllOptions, read, type Request, withKey } from "./requests.js";
import type { Operation, Refusal, Value } from "./types.js";
import type { Send } from "./waybill.js";

/** The id of an operation that a batch can have. */
export type BatchId = keyof BatchArguments;

/** A write of a batch, with a key or an id of its own: sent again, also after a dry run, it takes effect once. */
export type BatchItem<Id extends BatchId = BatchId> = {
  readonly id: Id;
  readonly request: Request;
  /** Whether its key is the caller's. */
  readonly hasOwnKey: boolean;
};

/** What a write of a batch answered. */
export type Written<Id extends BatchId> = {
  value: Value<Id>;
  /** The version of the value, for If-Match. */
  etag: string | undefined;
  /** Whether an earlier request of the same intent had taken effect. */
  replayed: boolean;
};

/** The outcome of a batch: what each of its items answered, or the error of the one at the position item. */
export type BatchResult<Items extends readonly BatchItem[]> =
  | {
      ok: true;
      value: { [I in keyof Items]: Items[I] extends BatchItem<infer Id> ? Written<Id> : never };
      /** Whether the batch was only tried, and nothing was written. */
      dryRun: boolean;
    }
  | { ok: false; error: Refusal<"write-batch"> | NoAnswer; item?: number };

/**
 * Makes up to 50 writes together, all of them or none, in their order:
 *
 *     const { batch } = waybill;
 *     const written = await batch([
 *       batch.item("assign-pickup", id, { driver_id }),
 *       batch.item("edit-driver", driver, { on_duty: true }),
 *     ]);
 *     if (written.ok) show(written.value[0].value.status);
 *     else explain(written.error.code, written.item);
 */
export type Batch = {
  <const Items extends readonly BatchItem[]>(items: Items, options?: KeyedOptions): Promise<BatchResult<Items>>;
  /** Returns a write, with the arguments of the operation's own function. An edit's row was read by itself. */
  item<Id extends BatchId>(id: Id, ...args: BatchArguments[Id]): BatchItem<Id>;
};

export function batchOf(send: Send): Batch {
  const batch = (items: readonly BatchItem[], options: KeyedOptions = {}) => write(send, items, options);
  return Object.assign(batch, { item }) as unknown as Batch;
}

function item(id: BatchId, ...args: unknown[]): BatchItem {
  const operation: Operation = operations[id];
  if (operation.kind === "edit") {
    return { id, request: editing(operation, args[0] as object, args[1]), hasOwnKey: false };
  }
  const { request, options }: { request: Request; options: AllOptions } = read(operation, args);
  return { id, request: withKey(operation, request, options), hasOwnKey: options.idempotencyKey !== undefined };
}

function editing(operation: Operation, row: object, change: unknown): Request {
  refuseTried(row);
  const etag = etagOf(row);
  if (etag === undefined) throw new TypeError("the row has no ETag: read it by itself first");
  return { path: pathOf(operation, row), headers: { "If-Match": etag }, body: change };
}

type Answered = { headers: Record<string, string>; body?: unknown };
type AnyBatchResult = BatchResult<readonly BatchItem[]>;

async function write(send: Send, items: readonly BatchItem[], options: KeyedOptions): Promise<AnyBatchResult> {
  const { idempotencyKey } = options;
  const request = {
    path: [],
    headers: idempotencyKey === undefined ? {} : { "Idempotency-Key": idempotencyKey },
    body: { items: items.map((item) => writing(item, idempotencyKey !== undefined)) },
  };
  const result = await send(operations["write-batch"], request, options, (error) => doubt(items, error));
  if (!result.ok) {
    const position = (result.error as Problem).item;
    const error = result.error as Refusal<"write-batch"> | NoAnswer;
    return { ok: false, error, ...(position !== undefined && { item: position }) };
  }
  const answers = (result.value as { items: Answered[] }).items;
  if (answers.length !== items.length) {
    const detail = `The answer tells of ${answers.length} writes, and the batch had ${items.length}.`;
    return { ok: false, error: { code: "no_answer", detail } };
  }
  return { ok: true, value: answers.map((answer) => written(answer, result.dryRun)), dryRun: result.dryRun };
}

/** Returns an item as it is sent. Where the batch has a key, it has none that the caller did not give. */
function writing({ id, request, hasOwnKey }: BatchItem, hasKey: boolean): object {
  const { "Idempotency-Key": key, ...others } = request.headers ?? {};
  const names = operations[id].params;
  const headers = key !== undefined && (hasOwnKey || !hasKey) ? { ...others, "Idempotency-Key": key } : others;
  return {
    operation: id,
    ...(names.length > 0 && { path: Object.fromEntries(names.map((name, i) => [name, request.path[i]])) }),
    ...(Object.keys(headers).length > 0 && { headers }),
    ...(request.body !== undefined && { body: request.body }),
  };
}

function written({ headers, body }: Answered, dryRun: boolean): Written<BatchId> {
  const etag = dryRun ? undefined : headers["ETag"];
  if (dryRun) rememberTried(body);
  else remember(body, etag);
  return { value: body as Value<BatchId>, etag, replayed: headers["Idempotency-Replayed"] === "true" };
}

/**
 * Where an attempt before may have made the batch, the refusal of an item that cannot be repeated, such as an edit or
 * a removal, does not tell whether it did.
 */
function doubt(items: readonly BatchItem[], { code, item }: Problem): NoAnswer | undefined {
  const id = item === undefined ? undefined : items[item]?.id;
  if (id === undefined) return undefined;
  const { method, body }: Operation = operations[id];
  if (method === "POST" || (method === "PUT" && !body)) return undefined;
  const detail = `An earlier attempt may have made the batch, whose item ${item} cannot be repeated: ${code}.`;
  return { code: "no_answer", detail };
}
