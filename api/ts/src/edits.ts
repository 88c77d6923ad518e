import type { WriteOptions } from "./attempts.js";
import type { NoAnswer } from "./problem.js";
import { operations } from "./operations.js";
import type { Body, Operation, OperationId, Refusal, Result, Value } from "./types.js";
import type { AnyResult, Send } from "./waybill.js";

/** The row has changed since it was read: both versions. */
export type Conflict<Id extends OperationId> = { base: Value<Id>; current: Value<Id> };

/** The outcome of an edit; conflict is there where the error's code is stale_version. */
export type EditResult<Id extends OperationId> =
  | Extract<Result<Id>, { ok: true }>
  | { ok: false; error: Refusal<Id> | NoAnswer; conflict?: Conflict<Id> };

export type EditOptions<Id extends OperationId> = WriteOptions & {
  /**
   * Resolves a conflict: returns the change to make to the current row, or undefined to give up. It is
   * called again if that one has changed meanwhile.
   */
  merge?: (conflict: Conflict<Id>) => Body<Id> | undefined | Promise<Body<Id> | undefined>;
};

/** The ETags of the rows that were read. The row of a list has none, and its version is compared instead. */
const etags = new WeakMap<object, string>();

export function remember(row: unknown, etag: string | undefined): void {
  if (typeof row === "object" && row !== null && etag !== undefined) etags.set(row, etag);
}

/** The rows that dry runs answered. Their versions were not written, and may by now be those of other writes. */
const tried = new WeakSet<object>();

export function rememberTried(row: unknown): void {
  if (typeof row === "object" && row !== null) tried.add(row);
}

/** Throws if a row is the answer of a dry run. */
export function refuseTried(row: object): void {
  if (tried.has(row)) throw new TypeError("the row is the answer of a dry run, which was not written");
}

/** Returns the ETag with which a row was read, if it was read by itself. */
export function etagOf(row: object): string | undefined {
  return etags.get(row);
}

type Row = Record<string, unknown>;
type AnyConflict = { base: Row; current: Row };
type AnyOptions = WriteOptions & { merge?: (conflict: AnyConflict) => unknown };
type AnyEditResult = AnyResult & { conflict?: AnyConflict };

/** Sends a change with the ETag of the row that it was based on. */
export async function edit(
  operation: Operation,
  row: object,
  change: object,
  { merge, ...options }: AnyOptions,
  send: Send,
): Promise<AnyEditResult> {
  refuseTried(row);
  let base = row as Row;
  let wanted = change;
  const path = pathOf(operation, base);
  const read = () => send(readerOf(operation), { path }, options);
  for (;;) {
    const etag = etagOf(base) ?? (await etagOfVersion(base, read));
    if (typeof etag === "object") return etag;
    let refused: AnyResult = stale;
    if (etag !== undefined) {
      refused = await send(operation, { path, headers: { "If-Match": etag }, body: wanted }, options);
      if (refused.ok || refused.error.code !== "stale_version") return refused;
    }
    const fresh = await read();
    if (!fresh.ok) return fresh;
    const current = fresh.value as Row;
    // The one edit since was this one: an attempt whose answer was lost, or a proxy that sent it twice.
    if (!options.dryRun && isNext(base, current) && contains(current, wanted)) return { ...fresh, replayed: true };
    const conflict = { base, current };
    const merged = await merge?.(conflict);
    if (merged === undefined) return { ...refused, conflict };
    [base, wanted] = [current, merged as object];
  }
}

/** Returns the parameters of the path of a row. */
export function pathOf(operation: Operation, row: object): string[] {
  return operation.params.map((name) => String((row as Row)[name.endsWith("_id") ? "id" : name]));
}

/** Returns the ETag of a row as it is now if its version is still the same. */
async function etagOfVersion(row: Row, read: () => Promise<AnyResult>): Promise<string | undefined | AnyResult> {
  const current = await read();
  if (!current.ok) return current;
  return (current.value as Row)["version"] === row["version"] ? current.etag : undefined;
}

/** What the server would say of a row from a list that has changed since. */
const stale: AnyResult = {
  ok: false,
  error: {
    type: "/errors/stale_version",
    title: "Stale version",
    status: 412,
    code: "stale_version",
    detail: "The row has changed since it was listed.",
    request_id: "",
  },
};

/** The operation that reads what another one edits. */
function readerOf(operation: Operation): Operation {
  const reader = Object.values<Operation>(operations).find((o) => o.path === operation.path && o.method === "GET");
  if (reader === undefined) throw new Error(`no operation reads ${operation.path}`);
  return reader;
}

function isNext(base: Row, current: Row): boolean {
  return current["version"] === (base["version"] as number) + 1;
}

function contains(row: Row, change: object): boolean {
  return Object.entries(change).every(([name, value]) => isSame(row[name] ?? null, value));
}

const time = /^\d{4}-\d\d-\d\dT[\d:.]+(Z|[+-]\d\d:\d\d)$/;

/** Compares two values of JSON. One time may be written in several ways, and the database rounds it. */
function isSame(a: unknown, b: unknown): boolean {
  if (typeof a === "string" && typeof b === "string" && time.test(a) && time.test(b)) {
    return Math.abs(Date.parse(a) - Date.parse(b)) <= 1;
  }
  return JSON.stringify(a) === JSON.stringify(b);
}
