import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { unwrap } from "@waybill/client";
import { readAgainIfInvalidated, useList, useValue, useWaybill } from "@waybill/client/react";
import { useMemo, useState } from "react";
import { Button } from "react-aria-components";

import { FacilityName } from "../names";
import { Heading, Instead, isGone } from "../parts/page";
import { PickupCard } from "../pickup/card";
import { type Statuses, useStatuses } from "../pickup/statuses";
import { type Pickup, type Status, Transitions } from "../pickup/transitions";
import { Link, useQueryParameters } from "../router";
import { shortId } from "../format";
import { texts } from "../texts";
import { type Column, type Filters, useColumns } from "./columns";
import { ColumnList } from "./column";
import { Drivers } from "./drivers";
import { FilterBar } from "./filters";

/** The dispatchers' page: the pickups that wait for something, by status, and the drivers beside them. */
export function Dispatch() {
  const rules = useList("list-pickup-transitions");
  const statuses = useStatuses();
  if (!rules.data) return <Instead of={rules} skeleton={6} />;
  return <Board key={statuses.open.join()} statuses={statuses} />; // with other statuses it has other hooks
}

function Board({ statuses }: { statuses: Statuses }) {
  const [query, setQuery] = useQueryParameters();
  const filters = useMemo(() => filtersOf(query), [query]);
  const [showEnded, setShowEnded] = useState(false);
  const columns = useColumns(statuses.open, "longest_waiting", filters);
  const chosenId = query.get("pickup") ?? undefined;
  const listed = columns.flatMap(({ rows }) => rows).find(({ id }) => id === chosenId);
  const read = useUnlisted(listed ? undefined : chosenId);
  const chosen = listed ?? read.data;
  const choose = (id: string | undefined) => setQuery({ pickup: id });
  return (
    <div className="dispatch">
      <Heading title={texts.dispatch.title}>{texts.dispatch.title}</Heading>
      <FilterBar filters={filters} change={setQuery} />
      <section className="columns" aria-label={texts.dispatch.pickups}>
        <Columns columns={columns} filters={filters} chosen={chosenId} choose={choose} />
        {showEnded ? (
          <Ended
            key={statuses.ended.join()}
            statuses={statuses.ended}
            filters={filters}
            chosen={chosenId}
            choose={choose}
          />
        ) : (
          <Button className="column-toggle" onPress={() => setShowEnded(true)}>
            {texts.dispatch.showEnded}
          </Button>
        )}
      </section>
      <aside className="side">
        {chosen ? (
          <section className="chosen card" aria-label={texts.pickup.title(shortId(chosen.id))}>
            <header>
              <h2>
                <FacilityName id={chosen.facility_id} />
              </h2>
              <span className={`status s-${chosen.status}`}>{texts.status[chosen.status]}</span>
              <Button className="plain" aria-label={texts.close} onPress={() => choose(undefined)}>
                ×
              </Button>
            </header>
            <PickupCard pickup={chosen} long />
            <Transitions pickup={chosen} />
            <Link to={["pickups", chosen.id]}>{texts.pickup.open}</Link>
          </section>
        ) : chosenId === undefined ? (
          <p className="hint">{texts.dispatch.selectHint}</p>
        ) : (
          <section className="chosen card" aria-label={texts.pickup.title(shortId(chosenId))}>
            {isGone(read.error) ? <p className="empty">{texts.pickup.gone}</p> : <Instead of={read} />}
            <Button onPress={() => choose(undefined)}>{texts.close}</Button>
          </section>
        )}
        <Drivers chosen={chosen} />
      </aside>
    </div>
  );
}

/**
 * Reads the chosen pickup by itself where no column has it: it has ended, the filters leave it out, or it is further
 * down than was read.
 */
function useUnlisted(id: string | undefined): UseQueryResult<Pickup> {
  const waybill = useWaybill();
  return useQuery({
    queryKey: ["get-pickup", id], // as useValue has it: what the stream tells of the pickup is shown
    queryFn: async ({ client, signal, queryKey }) => {
      const pickup = unwrap(await waybill.pickups.get(id!, { signal }));
      readAgainIfInvalidated(client, queryKey);
      return pickup;
    },
    enabled: id !== undefined,
    retry: false,
  });
}

type Choosing = { filters: Filters; chosen: string | undefined; choose: (id: string | undefined) => void };

function Columns({ columns, filters, chosen, choose }: Choosing & { columns: Column[] }) {
  const { facility_id, ...others } = filters;
  const counts = useValue("get-pickup-counts", facility_id ? { facility_id } : {});
  // The counts know facilities. With other filters only what was read can be counted.
  const counted = Object.values(others).every((value) => value === undefined);
  return columns.map((column) => {
    const count = counted ? counts.data?.items.find((item) => item.status === column.status)?.count : undefined;
    return <ColumnList key={column.status} column={column} count={count} chosen={chosen} choose={choose} />;
  });
}

function Ended({ statuses, filters, chosen, choose }: Choosing & { statuses: Status[] }) {
  const columns = useColumns(statuses, "newest", filters);
  return <Columns columns={columns} filters={filters} chosen={chosen} choose={choose} />;
}

function filtersOf(query: URLSearchParams): Filters {
  const filters: Record<string, string> = {};
  for (const name of ["facility_id", "driver_id", "text"]) {
    const value = query.get(name);
    if (value) filters[name] = value;
  }
  for (const name of ["window_from", "window_to"]) {
    const at = new Date(query.get(name) ?? "");
    if (!Number.isNaN(at.getTime())) filters[name] = at.toISOString();
  }
  return filters;
}
