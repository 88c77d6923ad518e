import { useWaybill } from "@waybill/client/react";
import { useEffect, useState } from "react";
import { ComboBox, Button, Input, Label, ListBox, ListBoxItem, Popover, Text } from "react-aria-components";

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
  useEffect(() => setTyped(value?.name ?? ""), [value]);
  useEffect(() => {
    const name = typed.trim();
    if (name.length < 2 || name === value?.name) return undefined;
    const stop = new AbortController();
    const timer = setTimeout(async () => {
      const query = { name, limit: 8, ...(facilityId !== undefined && { facility_id: facilityId }) };
      const page = await waybill.patients.search(query).page(undefined, stop.signal);
      if (stop.signal.aborted || !page.ok) return;
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
  }, [typed, facilityId]);
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
      allowsEmptyCollection
      defaultFilter={() => true}
      menuTrigger="input"
    >
      <Label>{texts.clinic.patient}</Label>
      <div className="combo">
        <Input autoComplete="off" />
        <Button aria-label={texts.clinic.patient}>▾</Button>
      </div>
      <Text slot="description">{texts.clinic.patientHint}</Text>
      <Popover className="popover">
        <ListBox renderEmptyState={() => <p className="empty">{texts.list.empty}</p>}>
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
