import { useList } from "@waybill/client/react";
import { useMemo, useState } from "react";
import { Button } from "react-aria-components";

import { shortId, timeOf } from "../format";
import { useFacilities } from "../names";
import { Heading, Instead, More } from "../parts/page";
import { PickupCard } from "../pickup/card";
import { type Pickup, Transitions } from "../pickup/transitions";
import { Link } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";
import { Booking, type Template } from "./booking";

/** The clinic's page: book, follow what was booked, and see who comes today. */
export function Clinic() {
  const [template, setTemplate] = useState<Template>();
  const [round, setRound] = useState(0);
  const facilities = useFacilities();
  const use = (next: Template) => {
    setTemplate(next);
    setRound(round + 1);
  };
  return (
    <div className="clinic">
      <Heading title={texts.clinic.title}>{texts.clinic.title}</Heading>
      <div className="halves">
        <div>
          <Last use={use} />
          <Booking key={round} template={template} />
        </div>
        <div>
          <Follow />
          {facilities.map(({ id, name }) => (
            <Today key={id} facilityId={id} name={name} use={use} />
          ))}
        </div>
      </div>
    </div>
  );
}

/** The last bookings as templates, each pair of addresses once. */
function Last({ use }: { use: (template: Template) => void }) {
  const { user } = useSession();
  const { data } = useList("list-pickups", { requested_by: user.id, limit: 50 });
  const templates = useMemo(() => {
    const pairs = new Map<string, Pickup>();
    for (const pickup of data ?? []) {
      const pair = `${pickup.facility_id}\n${pickup.pickup_address}\n${pickup.dropoff_address}`;
      if (!pairs.has(pair)) pairs.set(pair, pickup);
    }
    return [...pairs.values()].slice(0, 4);
  }, [data]);
  if (templates.length === 0) return <p className="hint">{texts.clinic.lastNone}</p>;
  return (
    <section className="templates" aria-label={texts.clinic.last}>
      <h2>{texts.clinic.last}</h2>
      {templates.map((pickup) => (
        <Button key={pickup.id} onPress={() => use(templateOf(pickup))}>
          {pickup.pickup_address} → {pickup.dropoff_address}
        </Button>
      ))}
    </section>
  );
}

function templateOf({ facility_id, account_id, pickup_address, dropoff_address, price_cents }: Pickup): Template {
  return {
    facility_id,
    ...(account_id !== undefined && { account_id }),
    ...(pickup_address !== undefined && { pickup_address }),
    ...(dropoff_address !== undefined && { dropoff_address }),
    ...(price_cents !== undefined && { price_cents }),
  };
}

/** The user's own pickups, newest first. */
function Follow() {
  const { user } = useSession();
  const list = useList("list-pickups", { requested_by: user.id, limit: 20 });
  return (
    <section className="card">
      <h2>{texts.clinic.follow}</h2>
      <Instead of={list} />
      <ul className="rows">
        {list.data?.map((pickup) => (
          <li key={pickup.id} className={`row s-${pickup.status}`} data-pickup={pickup.id}>
            <p className="top">
              <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
              <Link to={["pickups", pickup.id]}>
                {texts.pickup.open} {shortId(pickup.id)}
              </Link>
            </p>
            <PickupCard pickup={pickup} />
            <Transitions pickup={pickup} />
          </li>
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

type TodayProps = { facilityId: string; name: string; use: (template: Template) => void };

/** The appointments of today at a facility, and which of them have a pickup already. */
function Today({ facilityId, name, use }: TodayProps) {
  const [from, to] = useMemo(today, []);
  const list = useList("list-appointments", { facility_id: facilityId, from, to, status: "BOOKED" });
  const booked = useList("list-pickups", {
    facility_id: facilityId,
    created_from: from,
    status: ["DRAFT", "SUBMITTED", "ASSIGNED", "COLLECTED"],
    limit: 200,
  });
  const withPickup = new Set(booked.data?.map(({ patient_id }) => patient_id));
  return (
    <section className="card">
      <h2>
        {texts.clinic.appointments} <small>{name}</small>
      </h2>
      <Instead of={list} empty={texts.clinic.noAppointments} />
      <ul className="rows">
        {list.data?.map((appointment) => (
          <li key={appointment.id} className="row appointment">
            <time dateTime={appointment.starts_at}>{timeOf(appointment.starts_at)}</time>
            <span className="name">
              {appointment.given_name} {appointment.family_name}
            </span>
            {withPickup.has(appointment.patient_id) ? (
              <small className="done">{texts.clinic.hasPickup}</small>
            ) : (
              <Button
                className="small"
                onPress={() =>
                  use({
                    facility_id: facilityId,
                    patient: {
                      id: appointment.patient_id,
                      name: `${appointment.given_name} ${appointment.family_name}`,
                    },
                  })
                }
              >
                {texts.clinic.book}
              </Button>
            )}
          </li>
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

function today(): [string, string] {
  const from = new Date();
  from.setHours(0, 0, 0, 0);
  const to = new Date(from);
  to.setDate(to.getDate() + 1);
  return [from.toISOString(), to.toISOString()];
}
