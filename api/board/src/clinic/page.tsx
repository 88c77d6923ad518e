import { useList } from "@waybill/client/react";
import { useState } from "react";

import { shortId } from "../format";
import { Heading, Instead, More } from "../parts/page";
import { PickupCard } from "../pickup/card";
import { Transitions } from "../pickup/transitions";
import { Link } from "../router";
import { useSession } from "../session";
import { texts } from "../texts";
import { AppointmentsOfAll } from "./appointments";
import { Booking, type Template } from "./booking";
import { Last, LastTexts, templateOf, useLast } from "./last";

/** The clinic's page: book, follow what was booked, and see who comes today. */
export function Clinic() {
  const [template, setTemplate] = useState<Template>();
  const [round, setRound] = useState(0);
  const read = useLast();
  const last = read.bookings;
  const use = (next: Template) => {
    setTemplate(next);
    setRound(round + 1);
  };
  // What is asked of an appointment goes the way that the facility's last booking went.
  const useFor = (next: Template) => {
    const before = last.find(({ facility_id }) => facility_id === next.facility_id);
    use({ ...(before && templateOf(before)), ...next });
  };
  return (
    <div className="clinic">
      <Heading title={texts.clinic.title}>{texts.clinic.title}</Heading>
      <div className="halves">
        <div>
          <Last {...read} use={use} />
          <Booking key={round} template={template} />
          <LastTexts />
        </div>
        <div>
          <AppointmentsOfAll use={useFor} />
          <Follow />
        </div>
      </div>
    </div>
  );
}

/** The user's own pickups, newest first. */
function Follow() {
  const { user } = useSession();
  const list = useList("list-pickups", { requested_by: user.id, limit: 20 });
  return (
    <section className="card">
      <h2>{texts.clinic.follow}</h2>
      <Instead of={list} empty={texts.clinic.followNone} />
      <ul className="rows">
        {list.data?.map((pickup) => (
          <li key={pickup.id} className={`row s-${pickup.status}`} data-pickup={pickup.id}>
            <p className="top">
              <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
              <Link to={["pickups", pickup.id]}>{shortId(pickup.id)}</Link>
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
