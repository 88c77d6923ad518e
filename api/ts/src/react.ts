import {
  type InfiniteData,
  type QueryClient,
  useInfiniteQuery,
  type UseInfiniteQueryResult,
  useMutation,
  type UseMutationResult,
  useQuery,
  useQueryClient,
  type UseQueryResult,
} from "@tanstack/react-query";
import { createContext, createElement, type ReactNode, useContext, useEffect, useRef, useState } from "react";

import { sleep } from "./attempts.js";
import { type Arguments, operations } from "./operations.js";
import type { Listing } from "./pages.js";
import { type NoAnswer, Refused, unwrap } from "./problem.js";
import { newId } from "./requests.js";
import type { StreamOptions, StreamState } from "./stream.js";
import type { Operation, OperationId, Refusal, Result, Schema, Value } from "./types.js";
import type { Waybill } from "./waybill.js";

type Table = typeof operations;

/** The operations that read one value, that read a list, and that write. */
export type ReadId = {
  [Id in keyof Table]: Table[Id] extends { method: "GET"; kind: "call" } ? Id : never;
}[keyof Table];
export type ListId = { [Id in keyof Table]: Table[Id] extends { kind: "list" } ? Id : never }[keyof Table];
export type WriteId = {
  [Id in keyof Table]: Table[Id] extends { method: "GET" } ? never : Table[Id] extends { kind: "call" } ? Id : never;
}[keyof Table];

type ItemOf<Id extends OperationId> = Value<Id> extends { items: (infer T)[] } ? T : never;

/** The error of a hook: its problem has the code. */
export type Failure<Id extends OperationId> = Refused<Refusal<Id> | NoAnswer>;

const Context = createContext<Waybill | undefined>(undefined);

/** Gives the components below a client. They also need TanStack Query's QueryClientProvider. */
export function WaybillProvider({ waybill, children }: { waybill: Waybill; children?: ReactNode }): ReactNode {
  return createElement(Context.Provider, { value: waybill }, children);
}

/** Returns the client of the WaybillProvider above. */
export function useWaybill(): Waybill {
  const waybill = useContext(Context);
  if (waybill === undefined) throw new Error("there is no WaybillProvider above");
  return waybill;
}

type AnyFunction = (...args: unknown[]) => unknown;

function functionOf(waybill: Waybill, id: keyof Table): AnyFunction {
  const { tag, name }: Operation = operations[id];
  return (waybill as unknown as Record<string, Record<string, AnyFunction>>)[tag]![name]!;
}

/** Returns the arguments with the options behind them, also where optional ones are left out. */
function withOptions(id: keyof Table, args: unknown[], options: object): unknown[] {
  const { params, body, query }: Operation = operations[id];
  const all: unknown[] = Array.from({ length: params.length + Number(body) + Number(query) });
  return [...all.map((_, i) => args[i]), options];
}

// The client has tried often enough when it gives up.
const noRetry = { retry: false } as const;

/** Reads one value: useValue("get-pickup", id). */
export function useValue<Id extends ReadId>(id: Id, ...args: Arguments[Id]): UseQueryResult<Value<Id>, Failure<Id>> {
  const waybill = useWaybill();
  const cache = useQueryClient();
  return useQuery<Value<Id>, Failure<Id>>({
    queryKey: [id, ...args],
    queryFn: async ({ signal, queryKey }) => {
      const read = functionOf(waybill, id)(...withOptions(id, args, { signal }));
      const value = unwrap((await read) as Result<Id>) as Value<Id>;
      readAgainIfInvalidated(cache, queryKey);
      return expected(cache, value);
    },
    ...noRetry,
  });
}

/** Reads a list a page at a time: useList("list-pickups", { status }). data has the items of all pages read. */
export function useList<Id extends ListId>(
  id: Id,
  ...args: Arguments[Id]
): UseInfiniteQueryResult<ItemOf<Id>[], Failure<Id>> {
  const waybill = useWaybill();
  const cache = useQueryClient();
  return useInfiniteQuery<ListPage<Id>, Failure<Id>, ItemOf<Id>[], unknown[], string | undefined>({
    queryKey: [id, ...args],
    queryFn: async ({ pageParam, signal, queryKey }) => {
      const listing = functionOf(waybill, id)(...args) as Listing<Id>;
      const page = unwrap(await listing.page(pageParam, signal)) as ListPage<Id>;
      readAgainIfInvalidated(cache, queryKey);
      return { ...page, items: page.items.map((item) => expected(cache, item)) };
    },
    initialPageParam: undefined,
    getNextPageParam: (last) => last.next,
    select: ({ pages }) => pages.flatMap((page) => page.items),
    ...noRetry,
  });
}

/**
 * Reads again what was invalidated while it was read for the first time: what was read may be from before the change.
 * Of later reads TanStack Query does so by itself; a first one it goes on with, and takes what it brings for new. The
 * hooks call it when they have read; so does a query function of your own.
 */
export function readAgainIfInvalidated(cache: QueryClient, queryKey: readonly unknown[]): void {
  const query = cache.getQueryCache().find({ queryKey });
  if (query?.state.data !== undefined || !query?.state.isInvalidated) return;
  setTimeout(() => void cache.invalidateQueries({ queryKey, exact: true })); // once what was read is shown
}

type ListPage<Id extends OperationId> = { items: ItemOf<Id>[]; next: string | undefined };

export type CallHookOptions<Id extends WriteId> = {
  /**
   * Shows at once what the call is expected to make of the row whose id is the first argument, also where that is
   * read again before the call is answered. If it is refused, the row is shown as it was.
   */
  predict?: (...args: Arguments[Id]) => Partial<Value<Id>>;
  /** Tries each call: nothing is written, and the cache stays as it is, without predict. */
  dryRun?: Table[Id]["dryRun"] extends true ? boolean : false;
  /** How long to try each call, in milliseconds. */
  deadline?: number;
  /** Is told of each failure, also when the component that called is not shown any more. */
  onError?: (error: Failure<Id>, args: Arguments[Id]) => void;
};

/** The key of each array of arguments that was called with: one array is one intent, however often it is sent. */
const keys = new WeakMap<readonly unknown[], string>();

function keyOf(args: readonly unknown[]): string {
  const key = keys.get(args) ?? newId();
  keys.set(args, key);
  return key;
}

/**
 * Writes: const assign = useCall("assign-pickup", { predict }); assign.mutate([id, { driver_id }]).
 *
 * The row that it answers replaces the cached ones, and the lists of its kind are read again. error.problem
 * has the code of a refusal.
 *
 * After no_answer, assign.mutate(assign.variables) sends the same call again: it takes effect once. The mutation has
 * the key [id], by which a page finds what is on its way in the cache of mutations.
 */
export function useCall<Id extends WriteId>(
  id: Id,
  { predict, dryRun = false, deadline, onError }: CallHookOptions<Id> = {},
): UseMutationResult<Value<Id>, Failure<Id>, Arguments[Id]> {
  const waybill = useWaybill();
  const cache = useQueryClient();
  return useMutation<Value<Id>, Failure<Id>, Arguments[Id], Snapshot | undefined>({
    mutationKey: [id],
    mutationFn: async (args) => {
      const written = functionOf(waybill, id)(...intentOf(id, args, { ...(dryRun && { dryRun }), deadline }));
      return unwrap((await written) as Result<Id>) as Value<Id>;
    },
    onMutate: async (args) => {
      const rowId = (args as unknown[])[0];
      if (predict === undefined || dryRun || typeof rowId !== "string") return undefined;
      await cache.cancelQueries({ predicate: ({ queryKey }) => hasRowsOf(queryKey, id) });
      const changes = predict(...args);
      const { row } = replace(cache, rowId, (row) => ({ ...row, ...changes }));
      return { row, forget: expect(cache, rowId, { version: row?.version, changes }) };
    },
    onError: (error, args, before) => {
      before?.forget();
      onError?.(error, args);
      const rowId = (args as unknown[])[0];
      if (before === undefined || typeof rowId !== "string") return;
      // A row that has become newer meanwhile, by the stream, is shown as it is.
      replace(cache, rowId, (row) => (before.row && row.version === before.row.version ? before.row : row));
    },
    onSuccess: (value) => {
      const answered: unknown = value;
      if (!dryRun && isRow(answered)) replace(cache, answered.id, (row) => newer(row, answered));
    },
    onSettled: async (_value, _error, _args, before) => {
      before?.forget();
      if (!dryRun) await cache.invalidateQueries({ predicate: ({ queryKey }) => hasRowsOf(queryKey, id) });
    },
    ...noRetry,
  });
}

/** Returns the arguments of a write with what makes all times that it is sent one intent. */
function intentOf(id: keyof Table, args: unknown[], options: object): unknown[] {
  const { key, params }: Operation = operations[id];
  const body = args[params.length] as { id?: string } | undefined;
  const keyed = key === "key" && body?.id === undefined; // a create whose body has an id needs no key
  const all = withOptions(id, args, keyed ? { ...options, idempotencyKey: keyOf(args) } : options);
  if (key === "id") all[params.length] = { ...body, id: body?.id ?? keyOf(args) };
  return all;
}

export type StreamHookOptions = {
  /** Is told of each event, after the cached pickups have been changed: for what else depends on pickups. */
  onEvent?: (event: Schema<"PickupEvent">) => void;
};

/** How the event stream is: its state, the refusal that ended it, and while it is not open, the last sign of life. */
export type Connection = { state: StreamState; error: Refused | undefined; aliveAt: Date | undefined };

/**
 * Follows the event stream, and keeps the cached pickups as it tells: rows change at once, and lists, whose
 * members may be others now, are read again, at most every quarter of a second, and not while they are being read.
 * What was read before the stream was open is read again once.
 */
export function useStream({ onEvent }: StreamHookOptions = {}): Connection {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const [connection, setConnection] = useState<Connection>(connecting);
  const told = useRef(onEvent);
  useEffect(() => {
    told.current = onEvent;
  });
  useEffect(() => {
    const stop = new AbortController();
    const readLists = atMostEvery(250, stop.signal, () =>
      cache.invalidateQueries({ predicate: ({ queryKey }) => hasRowsOf(queryKey, "submit-pickup") }),
    );
    let aliveAt: Date | undefined;
    let opened = false;
    const options: StreamOptions = {
      signal: stop.signal,
      onAlive: () => (aliveAt = new Date()),
      onState: (state) => {
        // A stream tells what happens from when it is open: what was read before may be older.
        if (state === "open" && !opened) readLists();
        opened ||= state === "open";
        setConnection({ state, error: undefined, aliveAt: state === "open" ? undefined : aliveAt });
      },
      onRestart: () => cache.invalidateQueries(), // versions of the former history say nothing now
    };
    const follow = async () => {
      for await (const { event } of waybill.pickups.stream(options)) {
        if (!event) continue;
        apply(cache, event);
        readLists();
        told.current?.(event);
      }
    };
    setConnection(connecting);
    follow().catch((error) => setConnection(({ state }) => ({ state, error, aliveAt })));
    return () => stop.abort();
  }, [waybill, cache]);
  return connection;
}

const connecting: Connection = { state: "connecting", error: undefined, aliveAt: undefined };

/** The longest that is waited for what is being read: it may hang where the server is away. */
const longestRead = 5_000;

/**
 * Returns a function that runs another one at once, and once more at the end of a pause in which it was called. The
 * pause begins when what was run has ended: a long list, were it begun anew each time, would never be read.
 */
function atMostEvery(milliseconds: number, until: AbortSignal, run: () => Promise<void>): () => void {
  let pausing = false;
  let again = false;
  const go = async () => {
    pausing = true;
    while (again && !until.aborted) {
      again = false;
      await Promise.race([run(), sleep(longestRead, until).catch(() => {})]);
      await sleep(milliseconds, until).catch(() => {});
    }
    pausing = false;
  };
  return () => {
    again = true;
    if (!pausing) void go();
  };
}

function apply(cache: QueryClient, event: Schema<"PickupEvent">): void {
  const { pickup_id, to_status, driver_id, version } = event;
  replace(cache, pickup_id, (row) => newer(row, { ...row, status: to_status, driver_id, version }));
}

type Row = { id: string; version?: number; [member: string]: unknown };

/** A row as it was before a call, and what has reads know that the call is answered. */
type Snapshot = { row: Row | undefined; forget: () => void };

/** What a call that is not answered yet is expected to make of a row, as long as the row has the version. */
type Expected = { version: number | undefined; changes: object };

const calls = new WeakMap<QueryClient, Map<string, Expected>>();

/** Has what is read of a row be shown as a call is expected to make it. Returns a function that ends that. */
function expect(cache: QueryClient, id: string, what: Expected): () => void {
  const all = calls.get(cache) ?? new Map<string, Expected>();
  calls.set(cache, all.set(id, what));
  return () => {
    if (all.get(id) === what) all.delete(id);
  };
}

/** Returns what was read, as the call that is on its way is expected to make it. */
function expected<T>(cache: QueryClient, read: T): T {
  const call = isRow(read) ? calls.get(cache)?.get(read.id) : undefined;
  return call && isRow(read) && read.version === call.version ? { ...read, ...call.changes } : read;
}

function isRow(value: unknown): value is Row {
  return typeof value === "object" && value !== null && "id" in value && typeof value.id === "string";
}

function newer(row: Row, other: Row): Row {
  return (other.version ?? 0) >= (row.version ?? 0) ? other : row;
}

/** Whether a query reads rows of the kind that an operation writes: operations of one tag have one kind. */
function hasRowsOf(queryKey: readonly unknown[], id: keyof Table): boolean {
  const query = operations[queryKey[0] as keyof Table] as Operation | undefined;
  return query?.tag === operations[id].tag;
}

/** Replaces a row in every query that has it. Returns it as it was. */
function replace(cache: QueryClient, id: string, change: (row: Row) => Row): { row: Row | undefined } {
  let before: Row | undefined;
  const changed = (row: unknown): unknown => {
    if (!isRow(row) || row.id !== id) return row;
    before ??= row;
    return change(row);
  };
  for (const query of cache.getQueryCache().getAll()) {
    if (!((query.queryKey[0] as string) in operations)) continue;
    cache.setQueryData(query.queryKey, (data: unknown) => {
      const pages = (data as InfiniteData<{ items: unknown[] }> | undefined)?.pages;
      if (!pages) return changed(data);
      return { ...(data as object), pages: pages.map((page) => ({ ...page, items: page.items.map(changed) })) };
    });
  }
  return { row: before };
}
