import { useList } from "@waybill/client/react";
import { useEffect, useState, useSyncExternalStore } from "react";
import { Button } from "react-aria-components";

import { localOf } from "../format";
import { useFacilities } from "../names";
import { ChoiceField, Field } from "../parts/form";
import { useWhole } from "../parts/whole";
import type { Query } from "../router";
import { texts } from "../texts";
import type { Filters } from "./columns";

type Props = { filters: Filters; change: (query: Query) => void };

/** The filters, which are in the address: whoever opens it sees the same. On a phone they are opened when wanted. */
export function FilterBar(props: Props) {
  const isNarrow = useNarrow();
  if (!isNarrow) return <FilterForm {...props} />;
  const set = Object.values(props.filters).filter((value) => value !== undefined).length;
  return (
    <details className="filter-box">
      <summary>{texts.dispatch.filtersSet(set)}</summary>
      <FilterForm {...props} />
    </details>
  );
}

const narrow = matchMedia("(max-width: 40rem)");

function useNarrow(): boolean {
  return useSyncExternalStore(
    (changed) => {
      narrow.addEventListener("change", changed);
      return () => narrow.removeEventListener("change", changed);
    },
    () => narrow.matches,
  );
}

function FilterForm({ filters, change }: Props) {
  const facilities = useFacilities();
  const driverList = useList("list-drivers", { limit: 200 });
  useWhole(driverList);
  const drivers = driverList.data ?? [];
  const any = Object.values(filters).some((value) => value !== undefined);
  return (
    <form className="filters" aria-label={texts.dispatch.filters} onSubmit={(event) => event.preventDefault()}>
      <ChoiceField
        label={texts.dispatch.facility}
        choices={facilities}
        none={texts.dispatch.all}
        value={filters.facility_id}
        onChange={(facility_id) => change({ facility_id })}
      />
      <ChoiceField
        label={texts.dispatch.driver}
        choices={drivers}
        none={texts.dispatch.all}
        value={filters.driver_id}
        onChange={(driver_id) => change({ driver_id })}
      />
      <Words value={filters.text ?? ""} change={(text) => change({ text: text || undefined })} />
      <Time
        label={texts.dispatch.from}
        value={filters.window_from}
        change={(window_from) => change({ window_from })}
      />
      <Time label={texts.dispatch.to} value={filters.window_to} change={(window_to) => change({ window_to })} />
      {any && (
        <Button
          onPress={() =>
            change({
              facility_id: undefined,
              driver_id: undefined,
              text: undefined,
              window_from: undefined,
              window_to: undefined,
            })
          }
        >
          {texts.dispatch.clear}
        </Button>
      )}
    </form>
  );
}

/** Words are searched for when typing pauses. */
function Words({ value, change }: { value: string; change: (value: string) => void }) {
  const [typed, setTyped] = useState(value);
  useEffect(() => setTyped(value), [value]);
  useEffect(() => {
    const text = typed.trim();
    if (text === value) return undefined;
    const timer = setTimeout(() => change(text), 350);
    return () => clearTimeout(timer);
  }, [typed]);
  return <Field label={texts.dispatch.text} type="search" value={typed} onChange={setTyped} />;
}

type TimeProps = { label: string; value: string | undefined; change: (value: string | undefined) => void };

function Time({ label, value, change }: TimeProps) {
  const set = (local: string) => change(local ? new Date(local).toISOString() : undefined);
  return <Field label={label} type="datetime-local" value={value ? localOf(new Date(value)) : ""} onChange={set} />;
}
