import type { Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { useMemo, useState } from "react";
import { Button } from "react-aria-components";

import { useFacilityList } from "../names";
import { type Day, useTimeOf, useToday } from "../now";
import { useReadAgain } from "../parts/again";
import { ChoiceField } from "../parts/form";
import { Instead } from "../parts/page";
import { AtFacility } from "../parts/zone";
import { useWhole } from "../parts/whole";
import { useStatusesBut } from "../pickup/statuses";
import { texts } from "../texts";
import type { Template } from "./booking";

type Appointment = Schema<"Appointment">;

type Props = { facilityId: string; name: string; use: (template: Template) => void };

/** With more facilities than these, one is chosen: each has lists of its own, which are read again and again. */
const atOnce = 3;

/** Lists come by feeds, of which the stream does not tell. */
const readEvery = 60_000;

/** Today's appointments at the user's facilities, or at the one that is chosen where there are many. */
export function AppointmentsOfAll({ use }: Pick<Props, "use">) {
  const list = useFacilityList();
  const facilities = list.data ?? [];
  const [chosen, setChosen] = useState<string>();
  if (facilities.length === 0) return <Instead of={list} empty={texts.clinic.noFacility} />;
  const shown =
    facilities.length <= atOnce ? facilities : [facilities.find(({ id }) => id === chosen) ?? facilities[0]!];
  return (
    <>
      {facilities.length > atOnce && (
        <ChoiceField label={texts.clinic.at} choices={facilities} value={shown[0]!.id} onChange={setChosen} />
      )}
      {shown.map(({ id, name }) => (
        <Appointments key={id} facilityId={id} name={name} use={use} />
      ))}
    </>
  );
}

/** The appointments of today at a facility, and which of them have no pickup yet. */
function Appointments({ facilityId, name, use }: Props) {
  const day = useToday();
  const timeOf = useTimeOf();
  const list = useList("list-appointments", { facility_id: facilityId, ...day, status: "BOOKED", limit: 200 });
  const isWhole = useWhole(list);
  useReadAgain(readEvery, list);
  const withPickup = usePatientsWithPickup(facilityId, day);
  const known = withPickup !== undefined;
  const without = list.data?.filter(({ patient_id }) => known && !withPickup.has(patient_id)) ?? [];
  return (
    <section className="card appointments">
      <h2>
        {texts.clinic.appointments} <small>{name}</small>
        {isWhole && known && without.length > 0 && <output>{texts.clinic.without(without.length)}</output>}
      </h2>
      <Instead of={list} empty={texts.clinic.noAppointments} />
      <ul className="rows">
        {list.data?.map((appointment) => (
          <li key={appointment.id} className="row appointment">
            <time dateTime={appointment.starts_at}>{timeOf(appointment.starts_at)}</time>
            <AtFacility id={facilityId} at={appointment.starts_at} />
            <span className="name">{nameOf(appointment)}</span>
            {known && withPickup.has(appointment.patient_id) && (
              <small className="done">{texts.clinic.hasPickup}</small>
            )}
            {known && !withPickup.has(appointment.patient_id) && (
              <Button className="small" onPress={() => use(templateOf(appointment))}>
                {texts.clinic.book}
                <span className="visually-hidden"> {nameOf(appointment)}</span>
              </Button>
            )}
          </li>
        ))}
      </ul>
    </section>
  );
}

function nameOf({ given_name, family_name }: Appointment): string {
  return `${given_name} ${family_name}`;
}

/** What is collected after an appointment, if that is still to come. */
function templateOf(appointment: Appointment): Template {
  return {
    facility_id: appointment.facility_id,
    patient: { id: appointment.patient_id, name: nameOf(appointment) },
    ...(Date.parse(appointment.ends_at) > Date.now() && { start: appointment.ends_at }),
  };
}

/**
 * Returns the patients that have a pickup today, by its window or since it was booked today, whatever has become of
 * it but that it was canceled. Undefined until all are read: who is only not read yet would be booked twice.
 */
function usePatientsWithPickup(facility_id: string, { from, to }: Day): Set<string> | undefined {
  const query = { facility_id, status: useStatusesBut("CANCELED"), limit: 200 };
  const windows = useList("list-pickups", { ...query, window_from: from, window_to: to });
  const booked = useList("list-pickups", { ...query, created_from: from });
  const isWhole = [useWhole(windows), useWhole(booked)].every(Boolean);
  return useMemo(() => {
    if (!isWhole) return undefined;
    const pickups = [...(windows.data ?? []), ...(booked.data ?? [])];
    return new Set(
      pickups.flatMap(({ patient_id, status }) => (patient_id && status !== "CANCELED" ? patient_id : [])),
    );
  }, [isWhole, windows.data, booked.data]);
}
