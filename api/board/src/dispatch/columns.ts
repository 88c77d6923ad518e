import type { Query } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { useMemo } from "react";

import type { Pickup, Status } from "../pickup/transitions";

export type Filters = Pick<
  Query<"list-pickups"> & object,
  "facility_id" | "driver_id" | "text" | "window_from" | "window_to"
>;

/** Those that wait come by how long they do, the longest first; those that ended, the newest first. */
type Sort = "longest_waiting" | "newest";

export type Column = { status: Status; rows: Pickup[]; list: ReturnType<typeof useList<"list-pickups">> };

/**
 * Returns a column for each status. A row stands where its present status says, whichever list has read it: so
 * a card that was moved stands in its new column before any list has been read again.
 */
export function useColumns(statuses: readonly Status[], sort: Sort, filters: Filters): Column[] {
  // The statuses of a page do not change: the hooks are always as many, in the same order.
  const lists = statuses.map((status) =>
    useList("list-pickups", {
      status: [status],
      sort,
      limit: 200,
      ...filters,
    }),
  );
  const data = lists.map((list) => list.data);
  const rows = useMemo(() => byStatus(data, sort), data);
  return statuses.map((status, i) => ({ status, rows: rows.get(status) ?? [], list: lists[i]! }));
}

function byStatus(lists: (Pickup[] | undefined)[], sort: Sort): Map<Status, Pickup[]> {
  const newest = new Map<string, Pickup>();
  for (const row of lists.flatMap((rows) => rows ?? [])) {
    const known = newest.get(row.id);
    if (!known || known.version <= row.version) newest.set(row.id, row);
  }
  const columns = new Map<Status, Pickup[]>();
  for (const row of newest.values()) {
    const rows = columns.get(row.status);
    if (rows) rows.push(row);
    else columns.set(row.status, [row]);
  }
  for (const rows of columns.values()) sortByWaiting(rows);
  if (sort === "newest") for (const rows of columns.values()) rows.reverse();
  return columns;
}

/** Sorts as the server does, by the times of submission, which are read once: there may be thousands. */
function sortByWaiting(rows: Pickup[]): void {
  const since = new Map(rows.map((row) => [row, Date.parse(row.submitted_at ?? row.created_at)]));
  rows.sort((a, b) => since.get(a)! - since.get(b)! || (a.id < b.id ? -1 : 1));
}
