import { useList, useValue } from "@waybill/client/react";
import type { ReactNode } from "react";

import { timeAt } from "../format";
import { texts } from "../texts";

type ZoneProps = { id: string; children: (zone: string | undefined) => ReactNode };

/** What depends on the time zone of a facility: undefined while it is read, and where nobody has said it. */
export function InZoneOf({ id, children }: ZoneProps) {
  const facilities = useList("list-facilities", { limit: 200 });
  const known = facilities.data?.find((f) => f.id === id);
  if (known || facilities.isPending) return children(known?.time_zone ?? undefined);
  return <Fetched id={id}>{children}</Fetched>;
}

function Fetched({ id, children }: ZoneProps) {
  return children(useValue("get-facility", id).data?.time_zone ?? undefined);
}

type Props = { id: string; at: string; end?: string | undefined };

/** A time, or a window, as clocks at the facility show it, where they differ from the browser's. */
export function AtFacility({ id, at, end }: Props) {
  return (
    <InZoneOf id={id}>
      {(zone) => {
        const there = timeAt(zone, at, end);
        return there && <small className="there"> {texts.there(there)}</small>;
      }}
    </InZoneOf>
  );
}
