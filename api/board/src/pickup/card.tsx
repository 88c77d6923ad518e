import { useIsMutating } from "@tanstack/react-query";

import { FacilityName, DriverName } from "../names";
import { spanOf, shortId } from "../format";
import { useNow, useTimeOf } from "../now";
import { AtFacility } from "../parts/zone";
import { texts } from "../texts";
import { useStatuses } from "./statuses";
import type { Pickup } from "./transitions";

/** After how many minutes of waiting a card asks for attention, and for help. */
const thresholds = { warm: 30, hot: 60 };

type CardProps = { pickup: Pickup; long?: boolean; withId?: boolean };

/** What a card says of a pickup: how long it waits, from where to where, and with whom. Nothing of the patient. */
export function PickupCard({ pickup, long = false, withId = false }: CardProps) {
  const timeOf = useTimeOf();
  return (
    <div className={long ? "about long" : "about"}>
      <p className="top">
        {long ? (
          <code>{shortId(pickup.id)}</code>
        ) : (
          <b className="facility">
            {withId && <code>{shortId(pickup.id)}</code>} <FacilityName id={pickup.facility_id} />
          </b>
        )}
        <Waiting pickup={pickup} />
      </p>
      <p className="way">
        <span>{pickup.pickup_address}</span>
        <span className="to">
          <span className="visually-hidden">{texts.pickup.to} </span>
          {pickup.dropoff_address}
        </span>
      </p>
      <p className="more">
        {pickup.window_start && pickup.window_end && (
          <span className="window">
            {timeOf(pickup.window_start)} – {timeOf(pickup.window_end)}
            <AtFacility id={pickup.facility_id} at={pickup.window_start} end={pickup.window_end} />
          </span>
        )}
        {pickup.driver_id && (
          <span className="driver">
            <DriverName id={pickup.driver_id} />
          </span>
        )}
        {long && pickup.note && <q>{pickup.note}</q>}
        <Sending id={pickup.id} />
      </p>
    </div>
  );
}

/** Says that what is shown is not known to be done: a change is on its way, for longer than a moment. */
export function Sending({ id }: { id: string }) {
  const sending = useIsMutating({
    predicate: ({ state }) => Array.isArray(state.variables) && state.variables[0] === id,
  });
  return sending ? <span className="sending">{texts.pickup.sending}</span> : null;
}

function Waiting({ pickup }: { pickup: Pickup }) {
  const now = useNow();
  const timeOf = useTimeOf();
  const { ended } = useStatuses();
  if (ended.includes(pickup.status)) {
    return <span className="since">{texts.dispatch.since(spanOf(now - Date.parse(pickup.updated_at)))}</span>;
  }
  if (!pickup.submitted_at) return null;
  const waited = now - Date.parse(pickup.submitted_at);
  const heat = waited > thresholds.hot * 60_000 ? "hot" : waited > thresholds.warm * 60_000 ? "warm" : "cool";
  return (
    <span className={`waiting ${heat}`} title={timeOf(pickup.submitted_at)}>
      <span className="visually-hidden">{texts.dispatch.waiting} </span>
      {spanOf(waited)}
    </span>
  );
}
