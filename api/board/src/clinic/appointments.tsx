import type { Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { useMemo } from "react";
import { Button } from "react-aria-components";

import { timeOf } from "../format";
import { Instead } from "../parts/page";
import { AtFacility } from "../parts/zone";
import { useWhole } from "../parts/whole";
import { texts } from "../texts";
import type { Template } from "./booking";

type Appointment = Schema<"Appointment">;

type Props = { facilityId: string; name: string; use: (template: Template) => void };

/** The appointments of today at a facility, and which of them have no pickup yet. */
export function Appointments({ facilityId, name, use }: Props) {
  const day = useMemo(today, []);
  const list = useList("list-appointments", { facility_id: facilityId, ...day, status: "BOOKED", limit: 200 });
  const isWhole = useWhole(list);
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

type Day = { from: string; to: string };

/**
 * Returns the patients that have a pickup today, by its window or since it was booked today, whatever has become of
 * it but that it was canceled. Undefined until all are read: who is only not read yet would be booked twice.
 */
function usePatientsWithPickup(facility_id: string, { from, to }: Day): Set<string> | undefined {
  const query = { facility_id, status: notCanceled, limit: 200 };
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

const notCanceled: Schema<"PickupStatus">[] = [
  "DRAFT",
  "SUBMITTED",
  "ASSIGNED",
  "COLLECTED",
  "RECEIVED",
  "PACKED",
  "SHIPPED",
  "DELIVERED",
];

function today(): Day {
  const from = new Date();
  from.setHours(0, 0, 0, 0);
  const to = new Date(from);
  to.setDate(to.getDate() + 1);
  return { from: from.toISOString(), to: to.toISOString() };
}
