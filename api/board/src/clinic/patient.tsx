import { type NoAnswer, type Problem, Refused } from "@waybill/client";
import { useWaybill } from "@waybill/client/react";
import { useEffect, useState } from "react";
import { ComboBox, Button, Input, Label, ListBox, ListBoxItem, Popover, Text } from "react-aria-components";

import { reasonOf } from "../parts/notices";
import { texts } from "../texts";

export type PatientChoice = { id: string; name: string; more?: string };

type Props = {
  facilityId: string | undefined;
  value: PatientChoice | undefined;
  onChange: (patient: PatientChoice | undefined) => void;
};

/** Searches the patients that the user sees, when typing pauses: each page is recorded in their audit logs. */
export function PatientField({ facilityId, value, onChange }: Props) {
  const waybill = useWaybill();
  const [typed, setTyped] = useState(value?.name ?? "");
  const [found, setFound] = useState<PatientChoice[]>(value ? [value] : []);
  const [searching, setSearching] = useState(false);
  const [failed, setFailed] = useState<string>();
  const [round, setRound] = useState(0);
  useEffect(() => setTyped(value?.name ?? ""), [value]);
  useEffect(() => {
    const name = typed.trim();
    setFailed(undefined);
    setSearching(false);
    if (name.length < 2 || name === value?.name) return undefined;
    const stop = new AbortController();
    setSearching(true);
    setFound([]);
    const timer = setTimeout(async () => {
      const query = { name, limit: 8, ...(facilityId !== undefined && { facility_id: facilityId }) };
      const searched = waybill.patients.search(query).page(undefined, stop.signal);
      const page = await searched.catch((error: unknown) => {
        if (!stop.signal.aborted) throw error;
        return undefined; // what has been typed since is searched by itself
      });
      if (!page || stop.signal.aborted) return;
      setSearching(false);
      if (!page.ok) {
        setFailed(texts.clinic.patientFailed(reasonOf(new Refused<Problem | NoAnswer>(page.error))));
        return;
      }
      setFound(
        page.value.items.map(({ id, given_name, family_name, birth_date }) => ({
          id,
          name: `${given_name} ${family_name}`,
          more: birth_date,
        })),
      );
    }, 300);
    return () => {
      clearTimeout(timer);
      stop.abort();
    };
  }, [typed, facilityId, round]);
  const state = searching ? texts.clinic.patientSearching : texts.clinic.patientNone;
  return (
    <ComboBox
      className="field"
      items={found}
      inputValue={typed}
      onInputChange={(text) => {
        setTyped(text);
        if (text === "") onChange(undefined);
      }}
      value={value?.id ?? null}
      onChange={(id) => onChange(found.find((patient) => patient.id === id))}
      allowsEmptyCollection={failed === undefined} // the list closes: it hides what is outside of it
      defaultFilter={() => true}
      menuTrigger="input"
    >
      <Label>{texts.clinic.patient}</Label>
      <div className="combo">
        <Input autoComplete="off" />
        <Button aria-label={texts.clinic.patient}>▾</Button>
      </div>
      <Text slot="description">{texts.clinic.patientHint}</Text>
      {failed && (
        <div className="refused" role="alert">
          {failed}{" "}
          <Button slot={null} className="small" onPress={() => setRound(round + 1)}>
            {texts.list.retry}
          </Button>
        </div>
      )}
      <Popover className="popover">
        <ListBox renderEmptyState={() => <p className="empty">{state}</p>}>
          {(patient: PatientChoice) => (
            <ListBoxItem id={patient.id} textValue={patient.name}>
              {patient.name}
              {patient.more && <small>{texts.pickup.born(patient.more)}</small>}
            </ListBoxItem>
          )}
        </ListBox>
      </Popover>
    </ComboBox>
  );
}
