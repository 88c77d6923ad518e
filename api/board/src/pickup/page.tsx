import type { Schema } from "@waybill/client";
import { useList, useValue } from "@waybill/client/react";
import { type ReactNode, useState } from "react";
import { Button } from "react-aria-components";

import { fullTimeOf, moneyOf, shortId, tookOf } from "../format";
import { useTimeOf } from "../now";
import { DriverName, FacilityName, UserName } from "../names";
import { Heading, Instead, isGone, More } from "../parts/page";
import { AtFacility, InZoneOf } from "../parts/zone";
import { Link } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";
import { Machine } from "./machine";
import { MessageList } from "./messages";
import { Transitions } from "./transitions";

type Event = Schema<"PickupEvent">;

/** All that the viewer may know of one pickup: the way it took, its money and its texts. */
export function PickupPage({ id }: { id: string }) {
  const read = useValue("get-pickup", id);
  const events = useList("list-pickup-events", id, { limit: 200 });
  const pickup = read.data;
  if (!pickup) {
    return (
      <section className="narrow">
        {isGone(read.error) ? <p className="empty">{texts.pickup.gone}</p> : <Instead of={read} skeleton={5} />}
        <Link to={[]}>{texts.pickup.back}</Link>
      </section>
    );
  }
  return (
    <div className="pickup-page">
      <Heading title={texts.pickup.title(shortId(id))} actions={<Transitions pickup={pickup} />}>
        {texts.pickup.title(shortId(id))}{" "}
        <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
      </Heading>
      <InZoneOf id={pickup.facility_id}>
        {(zone) => <Machine status={pickup.status} events={events.data ?? []} zone={zone} />}
      </InZoneOf>
      <div className="halves">
        <section className="card">
          <Facts pickup={pickup} />
        </section>
        <section className="card">
          <h2>{texts.pickup.way}</h2>
          <Instead of={{ ...events, data: undefined, isPending: events.isPending }} />
          <Way events={events.data ?? []} pickup={pickup} />
          <More of={events} />
        </section>
        <Messages id={id} />
      </div>
      <Link to={[]}>{texts.pickup.back}</Link>
    </div>
  );
}

function Facts({ pickup }: { pickup: Schema<"Pickup"> }) {
  const { window_start, window_end, note, cancel_reason, driver_id } = pickup;
  const timeOf = useTimeOf();
  return (
    <>
      <h2>
        <FacilityName id={pickup.facility_id} />
      </h2>
      <dl className="facts">
        <Fact name={texts.pickup.from}>{pickup.pickup_address}</Fact>
        <Fact name={texts.pickup.to}>{pickup.dropoff_address}</Fact>
        <Fact name={texts.pickup.window}>
          {window_start && window_end && (
            <>
              {timeOf(window_start)} – {timeOf(window_end)}
              <AtFacility id={pickup.facility_id} at={window_start} end={window_end} />
            </>
          )}
        </Fact>
        <Fact name={texts.pickup.note}>{note}</Fact>
        <Fact name={texts.pickup.reason}>{cancel_reason}</Fact>
        <Fact name={texts.pickup.driver}>{driver_id && <DriverName id={driver_id} />}</Fact>
      </dl>
      {pickup.account_id && <Money pickup={pickup} accountId={pickup.account_id} />}
      {pickup.patient_id && <Patient pickupId={pickup.id} />}
    </>
  );
}

/** The money of a pickup, in the currency of the account that pays it. */
function Money({ pickup, accountId }: { pickup: Schema<"Pickup">; accountId: string }) {
  const { role } = useSession().user;
  const account = useValue("get-account", accountId).data;
  const money = (cents: number | undefined) => cents !== undefined && moneyOf(cents, account?.currency);
  const { price_cents, charged_cents, refunded_cents } = pickup;
  return (
    <dl className="facts money">
      <Fact name={texts.pickup.price}>{money(price_cents)}</Fact>
      <Fact name={texts.pickup.charged}>{money(charged_cents)}</Fact>
      <Fact name={texts.pickup.refunded}>{refunded_cents ? money(refunded_cents) : null}</Fact>
      <Fact name={texts.pickup.account}>
        {role === "staff" ? account?.name : <Link to={["accounts", accountId]}>{account?.name ?? "…"}</Link>}
      </Fact>
    </dl>
  );
}

function Fact({ name, children }: { name: string; children: ReactNode }) {
  if (children === null || children === undefined || children === false || children === "") return null;
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}

/** Who the patient is: asked for, not shown by the way, since each look is recorded. */
function Patient({ pickupId }: { pickupId: string }) {
  const [shown, setShown] = useState(false);
  if (!shown) return <Button onPress={() => setShown(true)}>{texts.pickup.showPatient}</Button>;
  return <Shown pickupId={pickupId} />;
}

function Shown({ pickupId }: { pickupId: string }) {
  const read = useValue("get-pickup-patient", pickupId);
  const patient = read.data;
  return (
    <div className="patient" aria-live="polite">
      <Instead of={read} skeleton={1} />
      {patient && (
        <p>
          <b>
            {patient.given_name} {patient.family_name}
          </b>{" "}
          {patient.birth_date && texts.pickup.born(patient.birth_date)} {patient.phone}
        </p>
      )}
      <small>{texts.pickup.shown}</small>
    </div>
  );
}

/** The events, oldest first, each with the time since the one before. */
function Way({ events, pickup }: { events: Event[]; pickup: Schema<"Pickup"> }) {
  const sorted = [...events].sort((a, b) => a.version - b.version);
  let before = pickup.created_at;
  return (
    <ol className="way-taken">
      <li>
        <b>{texts.pickup.created}</b> <time dateTime={pickup.created_at}>{fullTimeOf(pickup.created_at)}</time>
        <AtFacility id={pickup.facility_id} at={pickup.created_at} />
        <small>
          {texts.pickup.by} <UserName id={pickup.requested_by} />
        </small>
      </li>
      {sorted.map((event) => {
        const span = tookOf(Date.parse(event.created_at) - Date.parse(before));
        before = event.created_at;
        return (
          <li key={event.id} className={`s-${event.to_status}`}>
            <b>{texts.done[event.transition]}</b>{" "}
            <time dateTime={event.created_at}>{fullTimeOf(event.created_at)}</time>
            <AtFacility id={pickup.facility_id} at={event.created_at} />
            <small>
              {texts.pickup.took(span)}, {texts.pickup.by} <UserName id={event.actor_id} />
              {event.driver_id && (
                <>
                  {" · "}
                  <DriverName id={event.driver_id} />
                </>
              )}
            </small>
            {pickup.account_id && movesMoney(event) && <Moved event={event} accountId={pickup.account_id} />}
          </li>
        );
      })}
    </ol>
  );
}

/** Whether an event can have moved money: drafts are not charged, so that their end gives nothing back. */
function movesMoney({ transition, from_status }: Event): boolean {
  return from_status === "DRAFT" ? transition === "submit" : ["cancel", "reprice", "refund"].includes(transition);
}

/** What an event charged or gave back, and why: the entry of the account that has its id. */
function Moved({ event, accountId }: { event: Event; accountId: string }) {
  const entry = useValue("get-account-entry", accountId, event.id).data;
  const currency = useValue("get-account", accountId).data?.currency;
  if (!entry) return null;
  const amount = moneyOf(entry.amount_cents, currency);
  return (
    <small className="moved">
      {(entry.kind === "charge" ? texts.pickup.wasCharged : texts.pickup.wasRefunded)(amount)}
      {entry.note && (
        <>
          {" "}
          <q>{entry.note}</q>
        </>
      )}
    </small>
  );
}

/** The texts of a pickup, for those who may see them. */
function Messages({ id }: { id: string }) {
  const { role } = useSession().user;
  return role === "admin" || role === "dispatcher" || role === "staff" ? (
    <section className="card">
      <MessageList pickupId={id}>
        <h2>{texts.pickup.messages}</h2>
      </MessageList>
    </section>
  ) : null;
}
