import { useList } from "@waybill/client/react";
import { useMemo } from "react";
import { Button } from "react-aria-components";

import { Instead } from "../parts/page";
import { MessageList } from "../pickup/messages";
import type { Pickup } from "../pickup/transitions";
import { Link } from "../router";
import { useSession } from "../session";
import { shortId } from "../format";
import { texts } from "../texts";
import type { Template } from "./booking";

type LastBookings = { bookings: Pickup[]; list: ReturnType<typeof useList<"list-pickups">> };

/** Returns the user's last bookings as templates, each way once. */
export function useLast(): LastBookings {
  const { user } = useSession();
  const list = useList("list-pickups", { requested_by: user.id, limit: 50 });
  const { data } = list;
  const bookings = useMemo(() => {
    const ways = new Map<string, Pickup>();
    for (const pickup of data ?? []) {
      const way = `${pickup.facility_id}\n${pickup.pickup_address}\n${pickup.dropoff_address}`;
      if (!ways.has(way)) ways.set(way, pickup);
    }
    return [...ways.values()];
  }, [data]);
  return { bookings, list };
}

export function Last({ bookings, list, use }: LastBookings & { use: (template: Template) => void }) {
  if (bookings.length === 0) return <Instead of={list} empty={texts.clinic.lastNone} skeleton={1} />;
  return (
    <section className="templates" aria-label={texts.clinic.last}>
      <h2>{texts.clinic.last}</h2>
      {bookings.slice(0, 4).map((pickup) => (
        <Button key={pickup.id} onPress={() => use(templateOf(pickup))}>
          <span>{pickup.pickup_address}</span> <span aria-hidden="true">→</span>{" "}
          <span>{pickup.dropoff_address}</span>
        </Button>
      ))}
    </section>
  );
}

/** Returns what the next booking of the same way begins with. */
export function templateOf(booking: Pickup): Template {
  const { facility_id, account_id, pickup_address, dropoff_address, price_cents } = booking;
  return {
    facility_id,
    ...(account_id !== undefined && { account_id }),
    ...(pickup_address !== undefined && { pickup_address }),
    ...(dropoff_address !== undefined && { dropoff_address }),
    ...(price_cents !== undefined && { price_cents }),
  };
}

const textsOf = 8;

/** The texts of the user's last pickups: what was sent, and what failed and can be sent again. */
export function LastTexts() {
  const { user } = useSession();
  const list = useList("list-pickups", { requested_by: user.id, limit: 20 });
  const pickups = (list.data ?? []).filter(({ status }) => status !== "DRAFT").slice(0, textsOf);
  return (
    <section className="card texts">
      <h2>{texts.clinic.texts}</h2>
      {pickups.length === 0 && <Instead of={{ ...list, data: list.data && [] }} empty={texts.clinic.textsNone} />}
      {pickups.map(({ id, dropoff_address }) => (
        <div key={id}>
          <MessageList pickupId={id}>
            <h3>
              <Link to={["pickups", id]}>{shortId(id)}</Link> → {dropoff_address}
            </h3>
          </MessageList>
        </div>
      ))}
    </section>
  );
}
