import { type QueryFunctionContext, useQueries } from "@tanstack/react-query";
import type { Schema } from "@waybill/client";
import { readAgainIfInvalidated, useList, useWaybill } from "@waybill/client/react";

type User = Pick<Schema<"User">, "id" | "name"> & Partial<Pick<Schema<"User">, "role" | "active">>;
type Facility = Schema<"Facility">;

/** A group as it is drawn: its mark is a letter, and of a colour. */
export type DrawnGroup = {
  row: Schema<"Group">;
  mark: string;
  hue: number;
  members: string[];
  facilities: string[];
  /** Whether both are read: before, they are empty. */
  isRead: boolean;
};

export type Drawn = {
  groups: DrawnGroup[];
  /** Who is in a group, or sees nothing without one. */
  users: User[];
  facilities: Facility[];
  read: { isPending: boolean; error: Error | null; refetch: () => Promise<unknown> };
  /** All who can be added to a group. */
  everyone: User[];
};

const hues = 6;

/** Reads the members and the facilities of groups, once they are there, whole, and brings them together. */
export function useDrawn(known: Schema<"Group">[] | undefined): Drawn {
  const rows = known ?? [];
  const waybill = useWaybill();
  const users = useList("list-users", { active: true, limit: 200 });
  const facilities = useList("list-facilities", { limit: 200 });
  // The operation in the key has them read again when a group has changed.
  const lists = useQueries({
    queries: rows.flatMap(({ id }) => [
      {
        queryKey: ["list-group-members", id, "all"],
        queryFn: (of: QueryFunctionContext) =>
          whole(of, waybill.groups.listMembers(id, { limit: 200 }), (m) => m.user_id),
      },
      {
        queryKey: ["list-group-facilities", id, "all"],
        queryFn: (of: QueryFunctionContext) =>
          whole(of, waybill.groups.listFacilities(id, { limit: 200 }), (f) => f.facility_id),
      },
    ]),
  });
  const groups = rows.map((row, i) => ({
    row,
    mark: markOf(i),
    hue: i % hues,
    members: lists[2 * i]?.data ?? [],
    facilities: lists[2 * i + 1]?.data ?? [],
    isRead: lists.slice(2 * i, 2 * i + 2).every(({ data }) => data !== undefined),
  }));
  const reads = [users, facilities, ...lists];
  const everyone = users.data ?? [];
  return {
    groups,
    users: shown(groups, everyone),
    facilities: facilities.data ?? [],
    everyone,
    read: {
      // Of no group yet, it would be drawn that nobody sees anything.
      isPending: !known || reads.some((read) => read.isPending),
      error: reads.find((read) => read.error)?.error ?? null,
      refetch: () => Promise.all(reads.filter((read) => read.error).map((read) => read.refetch())),
    },
  };
}

async function whole<T>(
  { client, queryKey }: QueryFunctionContext,
  list: AsyncIterable<T>,
  idOf: (item: T) => string,
): Promise<string[]> {
  const ids: string[] = [];
  for await (const item of list) ids.push(idOf(item));
  readAgainIfInvalidated(client, queryKey);
  return ids;
}

/** A, B, … Z, A1, B1, … */
function markOf(i: number): string {
  const letter = String.fromCharCode(65 + (i % 26));
  return i < 26 ? letter : `${letter}${Math.floor(i / 26)}`;
}

/** The members of groups, and the staff that are in none, by name. */
function shown(groups: DrawnGroup[], everyone: User[]): User[] {
  const members = new Set(groups.flatMap((group) => group.members));
  const known = everyone.filter(({ id, role }) => role === "staff" || members.has(id));
  for (const { id } of known) members.delete(id);
  const others = [...members].map((id) => ({ id, name: "" })); // their names are read one by one
  return [...known, ...others].sort((a, b) => a.name.localeCompare(b.name));
}
