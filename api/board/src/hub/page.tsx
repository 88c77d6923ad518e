import { useList } from "@waybill/client/react";

import { spanOf } from "../format";
import { useNow } from "../now";
import { Heading, Instead, More } from "../parts/page";
import { useWhole } from "../parts/whole";
import { PickupCard } from "../pickup/card";
import { useOwnStatuses } from "../pickup/statuses";
import { type Pickup, type Status, Transitions } from "../pickup/transitions";
import { texts } from "../texts";
import { Scanner } from "./scanner";

/** The hub's page: a scanner types an id and Enter, and the pickup takes its next step. */
export function Hub() {
  const rules = useList("list-pickup-transitions");
  const [first, ...others] = useOwnStatuses();
  return (
    <div className="hub">
      <Heading title={texts.hub.title}>{texts.hub.title}</Heading>
      {first === undefined ? (
        <Instead of={{ ...rules, data: undefined }} />
      ) : (
        <>
          <Scanner />
          <div className="halves">
            <Overdue status={[first, ...others]} />
            <Here title={texts.hub.expected} status={[first]} />
            <Here title={texts.hub.here} status={others} />
          </div>
        </>
      )}
    </div>
  );
}

function Here({ title, status }: { title: string; status: Status[] }) {
  const list = useList("list-pickups", { status, sort: "longest_waiting", limit: 50 });
  return (
    <section className="card" aria-label={title}>
      <h2>
        {title} <output>{list.data && (list.hasNextPage ? `${list.data.length}+` : list.data.length)}</output>
      </h2>
      <Instead of={list} />
      <ul className="rows">
        {list.data?.map((pickup) => (
          <li key={pickup.id} className={`row s-${pickup.status}`}>
            {status.length > 1 && (
              <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
            )}
            <PickupCard pickup={pickup} withId />
            <Transitions pickup={pickup} />
          </li>
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

const quarter = 15 * 60_000;

/**
 * What should have been delivered by now, as its window says. Only windows that have begun by the next quarter of an
 * hour are read: all that wait would be read again, page after page, whenever one of them takes a step.
 */
function Overdue({ status }: { status: Status[] }) {
  const now = useNow();
  const window_to = new Date(Math.ceil((now + 1) / quarter) * quarter).toISOString();
  const list = useList("list-pickups", { status, window_to, sort: "longest_waiting", limit: 200 });
  const isWhole = useWhole(list);
  const late = (list.data ?? []).filter(isLate(now));
  return (
    <section className="card overdue" aria-label={texts.hub.overdue}>
      <h2>
        {texts.hub.overdue} <output>{isWhole ? late.length : ""}</output>
      </h2>
      {late.length === 0 && isWhole && <p className="empty">{texts.hub.noOverdue}</p>}
      {!isWhole && <Instead of={{ ...list, data: undefined, isPending: !list.isError }} skeleton={1} />}
      <ul className="rows">
        {late.map((pickup) => (
          <li key={pickup.id} className="row">
            <p className="top">
              <b className="hot">{texts.hub.due(spanOf(now - Date.parse(pickup.window_end!)))}</b>
              <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
            </p>
            <PickupCard pickup={pickup} withId />
            <Transitions pickup={pickup} />
          </li>
        ))}
      </ul>
    </section>
  );
}

function isLate(now: number) {
  return ({ window_end }: Pickup) => typeof window_end === "string" && Date.parse(window_end) < now;
}
