import { useQueryClient } from "@tanstack/react-query";
import { type Body, newId, Refused, unwrap } from "@waybill/client";
import { useList, useWaybill } from "@waybill/client/react";
import { type FormEvent, useEffect, useRef, useState } from "react";
import { Button, Form } from "react-aria-components";

import { localOf, shortId } from "../format";
import { useFacilityList } from "../names";
import { useNow } from "../now";
import { ChoiceField, Field } from "../parts/form";
import { reasonOf, useNotices } from "../parts/notices";
import { Instead } from "../parts/page";
import { useWhole } from "../parts/whole";
import { AtFacility } from "../parts/zone";
import { texts } from "../texts";
import { PatientField, type PatientChoice } from "./patient";

/** What a new booking begins with. */
export type Template = Partial<
  Pick<Body<"create-pickup">, "facility_id" | "account_id" | "pickup_address" | "dropoff_address" | "price_cents">
> & { patient?: PatientChoice; start?: string };

const hour = 3_600_000;
const step = hour / 12; // the offered window is not another one each minute

/** The form of a booking. Its id is made once: pressing twice, or again after a lost answer, books once. */
export function Booking({ template }: { template: Template | undefined }) {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const { done } = useNotices();
  const facilityList = useFacilityList();
  const facilities = facilityList.data ?? [];
  const accountList = useList("list-accounts", { limit: 200 });
  useWhole(accountList);
  const accounts = accountList.data ?? [];
  const [id, setId] = useState(newId);
  const [facilityId, setFacilityId] = useState(template?.facility_id);
  const [accountId, setAccountId] = useState(template?.account_id);
  const [patient, setPatient] = useState(template?.patient);
  const [from, setFrom] = useState(template?.pickup_address ?? "");
  const [to, setTo] = useState(template?.dropoff_address ?? "");
  const [note, setNote] = useState("");
  const { start, end, isPast, setStart, setEnd, keep, forget } = useWindow(template?.start);
  const [price, setPrice] = useState(
    template?.price_cents === undefined ? "" : (template.price_cents / 100).toFixed(2),
  );
  const [busy, setBusy] = useState(false);
  const [refused, setRefused] = useState<string>();

  const form = useRef<HTMLFormElement>(null);
  useEffect(() => {
    if (!template) return;
    form.current?.scrollIntoView({ block: "nearest" });
    form.current?.querySelector("input")?.focus({ preventScroll: true });
  }, [template]);

  // Where there is no choice, none is asked for.
  const [onlyFacility, onlyAccount] = [
    facilities.length === 1 && facilities[0],
    accounts.length === 1 && accounts[0],
  ];
  useEffect(() => {
    if (onlyFacility) setFacilityId(onlyFacility.id);
    if (onlyAccount) setAccountId(onlyAccount.id);
  }, [onlyFacility, onlyAccount]);
  const facility = facilities.find((f) => f.id === facilityId);
  useEffect(() => {
    if (facility && from === "") setFrom(facility.address);
  }, [facility]);

  const cents = /^\d+([.,]\d{1,2})?$/.test(price.trim())
    ? Math.round(Number(price.trim().replace(",", ".")) * 100)
    : undefined;
  const hasWindow = start.text !== "" && end.text !== "";
  const wrongWindow = end.at <= start.at;
  const complete = facilityId !== undefined && accountId !== undefined && cents !== undefined && !wrongWindow;

  const book = async (submit: boolean) => {
    if (!complete) return;
    setBusy(true);
    setRefused(undefined);
    keep(); // pressed again after a lost answer, it is the same booking
    try {
      const draft = {
        id,
        facility_id: facilityId,
        account_id: accountId,
        pickup_address: from.trim(),
        dropoff_address: to.trim(),
        price_cents: cents,
        ...(patient && { patient_id: patient.id }),
        ...(note.trim() && { note: note.trim() }),
        ...(hasWindow && { window_start: isoOf(start), window_end: isoOf(end) }),
      };
      unwrap(await waybill.pickups.create(draft));
      if (submit) unwrap(await waybill.pickups.submit(id, { idempotencyKey: id }));
      done((submit ? texts.clinic.booked : texts.clinic.drafted)(shortId(id)));
      setId(newId());
      setNote("");
      setPatient(undefined);
      forget();
    } catch (error) {
      setRefused(reasonFor(error, id));
      // What was saved with this id is another booking than what the form has now.
      if (codeOf(error) === "id_reused") setId(newId());
    } finally {
      setBusy(false);
      void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "list-pickups" });
    }
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    void book(true);
  };
  return (
    <Form ref={form} className="card booking" onSubmit={submit}>
      {refused && (
        <p className="refused" role="alert">
          {refused}
        </p>
      )}
      {[facilityList, accountList].map((list, i) => (
        <Instead key={i} of={{ ...list, data: list.data && [null], isPending: false }} />
      ))}
      {facilities.length !== 1 && (
        <ChoiceField
          label={texts.clinic.facility}
          choices={facilities}
          value={facilityId}
          onChange={setFacilityId}
        />
      )}
      <PatientField facilityId={facilityId} value={patient} onChange={setPatient} />
      <Field label={texts.clinic.from} value={from} onChange={setFrom} isRequired />
      <Field label={texts.clinic.to} value={to} onChange={setTo} isRequired />
      <div className="pair">
        <Field label={texts.clinic.start} type="datetime-local" value={start.text} onChange={setStart} />
        <Field
          label={texts.clinic.end}
          type="datetime-local"
          value={end.text}
          onChange={setEnd}
          error={wrongWindow ? texts.clinic.range : undefined}
        />
      </div>
      {facilityId !== undefined && hasWindow && !wrongWindow && (
        <AtFacility id={facilityId} at={isoOf(start)} end={isoOf(end)} />
      )}
      {isPast && !wrongWindow && (
        <p className="hot" role="alert">
          {texts.clinic.past}
        </p>
      )}
      <Field label={texts.clinic.note} value={note} onChange={setNote} />
      <div className="pair">
        {accounts.length !== 1 && (
          <ChoiceField label={texts.clinic.account} choices={accounts} value={accountId} onChange={setAccountId} />
        )}
        <Field
          label={texts.clinic.price}
          value={price}
          onChange={setPrice}
          isRequired
          inputMode="decimal"
          error={price !== "" && cents === undefined ? texts.clinic.priceRule : undefined}
        />
      </div>
      <div className="actions">
        <Button onPress={() => void book(false)} isDisabled={!complete || busy}>
          {texts.clinic.draft}
        </Button>
        <Button type="submit" className="primary" isDisabled={!complete} isPending={busy}>
          {texts.clinic.submit}
        </Button>
      </div>
    </Form>
  );
}

/** A time as a field shows it, and the moment: where clocks are put back, two of them are shown alike. */
type Shown = { text: string; at: number };

function shownAt(at: number): Shown {
  return { text: localOf(new Date(at)), at };
}

/** Returns the moment of what was typed, or NaN: of two that are shown alike, the one that is still to come. */
function typedAt(text: string, now: number): Shown {
  const [first, second] = [Date.parse(text), Date.parse(text) + hour];
  const isSecond = first < now && localOf(new Date(second)) === text;
  return { text, at: isSecond ? second : first };
}

function isoOf({ at }: Shown): string {
  return new Date(at).toISOString();
}

/**
 * The window, and whether it has passed. What is offered goes with the time until someone sets it: the page stays open
 * all day, and would offer the morning in the evening.
 */
function useWindow(first: string | undefined) {
  const now = useNow();
  const from = (at: number) => ({ start: shownAt(at), end: shownAt(at + 2 * hour) });
  const offered = from(Math.ceil((now + hour / 2) / step) * step);
  const [set, setWindow] = useState(first === undefined ? undefined : from(Date.parse(first)));
  const shown = set ?? offered;
  return {
    ...shown,
    isPast: shown.end.at < now,
    setStart: (start: string) => setWindow({ ...shown, start: typedAt(start, now) }),
    setEnd: (end: string) => setWindow({ ...shown, end: typedAt(end, now) }),
    keep: () => setWindow(shown),
    forget: () => setWindow(undefined),
  };
}

function codeOf(error: unknown): string | undefined {
  return error instanceof Refused ? error.problem.code : undefined;
}

function reasonFor(error: unknown, id: string): string {
  switch (codeOf(error)) {
    case "no_answer":
      return texts.clinic.unanswered;
    case "id_reused":
      return texts.clinic.changed(shortId(id));
    default:
      return reasonOf(error);
  }
}
