import type { Schema } from "@waybill/client";
import { useList, useValue } from "@waybill/client/react";

import { shortId } from "./format";
import { useWhole } from "./parts/whole";
import { useSession } from "./session";
import { texts } from "./texts";

/** The facilities that the user sees: all of them, a page after the other. */
export function useFacilities(): Schema<"Facility">[] {
  return useFacilityList().data ?? none;
}

/** The same with how reading them goes, for pages that are nothing without them. */
export function useFacilityList() {
  const list = useList("list-facilities", { limit: 200 });
  useWhole(list);
  return list;
}

const none: Schema<"Facility">[] = [];

/** The name of a facility, which is read on its own if the page of facilities does not have it. */
export function FacilityName({ id }: { id: string }) {
  const facilities = useList("list-facilities", { limit: 200 });
  const known = facilities.data?.find((f) => f.id === id);
  if (known) return <>{known.name}</>;
  return facilities.isPending ? <>…</> : <Fetched id={id} />;
}

function Fetched({ id }: { id: string }) {
  return <>{nameIn(useValue("get-facility", id), shortId(id))}</>;
}

/** The name of a driver. */
export function DriverName({ id }: { id: string }) {
  return <>{nameIn(useValue("get-driver", id), shortId(id))}</>;
}

/** Who did something, as far as the viewer may know. */
export function UserName({ id }: { id: string }) {
  const { user } = useSession();
  if (user.id === id) return <>{texts.pickup.you}</>;
  return user.role === "admin" || user.role === "dispatcher" ? <Colleague id={id} /> : <>{texts.pickup.someone}</>;
}

function Colleague({ id }: { id: string }) {
  return <>{nameIn(useValue("get-user", id), texts.pickup.someone)}</>;
}

/** A name that is read by itself, and what stands for it where it cannot be read: not before that is known. */
function nameIn({ data, isPending }: { data: { name: string } | undefined; isPending: boolean }, other: string) {
  return data?.name ?? (isPending ? "…" : other);
}
