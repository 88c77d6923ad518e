import { Refused, unwrap, type Schema } from "@waybill/client";
import { useList, useWaybill } from "@waybill/client/react";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { Button, Form } from "react-aria-components";

import { shortId, spanOf, timeOf } from "../format";
import { useNow } from "../now";
import { Field } from "../parts/form";
import { reasonOf } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { PickupCard } from "../pickup/card";
import { type Pickup, Transitions, useRules } from "../pickup/transitions";
import { texts } from "../texts";

type Outcome = { key: number; ok: boolean; text: string; at: string };

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** The hub's page: a scanner types an id and Enter, and the pickup takes its next step. */
export function Hub() {
  return (
    <div className="hub">
      <Heading title={texts.hub.title}>{texts.hub.title}</Heading>
      <Scanner />
      <div className="halves">
        <Overdue />
        <Here title={texts.hub.expected} status={["COLLECTED"]} />
        <Here title={texts.hub.here} status={["RECEIVED", "PACKED", "SHIPPED"]} />
      </div>
    </div>
  );
}

function Scanner() {
  const [typed, setTyped] = useState("");
  const [log, setLog] = useState<Outcome[]>([]);
  const last = useRef(0);
  const next = useNextStep();
  const submit = async (event: FormEvent) => {
    event.preventDefault();
    const id = uuid.exec(typed)?.[0]; // a label may have more around it, such as a URL
    setTyped("");
    const outcome = id ? await next(id.toLowerCase()) : { ok: false, text: texts.hub.notAnId };
    setLog((all) => [{ ...outcome, key: ++last.current, at: new Date().toISOString() }, ...all].slice(0, 12));
  };
  const [newest, ...older] = log;
  return (
    <section className="scanner card">
      <Form onSubmit={(event) => void submit(event)}>
        <Field label={texts.hub.scan} value={typed} onChange={setTyped} autoFocus autoComplete="off" />
        <Button type="submit" className="primary">
          {texts.hub.go}
        </Button>
      </Form>
      <p
        className={`outcome ${newest === undefined ? "" : newest.ok ? "done" : "refused"}`}
        role="alert"
        key={newest?.key}
      >
        {newest?.text}
      </p>
      {older.length > 0 && (
        <ol className="log" aria-label={texts.hub.log}>
          {older.map((outcome) => (
            <li key={outcome.key} className={outcome.ok ? "done" : "refused"}>
              {outcome.text} <small>{timeOf(outcome.at)}</small>
            </li>
          ))}
        </ol>
      )}
    </section>
  );
}

/** Returns a function that makes the transition which the rules have next for a pickup, and says what came of it. */
function useNextStep() {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const rules = useRules();
  return async (id: string): Promise<{ ok: boolean; text: string }> => {
    try {
      const pickup = unwrap(await waybill.pickups.get(id));
      const rule = rules.find((r) => r.from_statuses.includes(pickup.status));
      if (!rule) return { ok: false, text: `${shortId(id)}: ${texts.status[pickup.status]}. ${texts.hub.nothing}` };
      const make = waybill.pickups[rule.transition] as (id: string) => ReturnType<typeof waybill.pickups.receive>;
      unwrap(await make(id));
      void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "list-pickups" });
      return { ok: true, text: texts.hub.done(texts.done[rule.transition], shortId(id)) };
    } catch (error) {
      const gone = error instanceof Refused && error.problem.code === "not_found";
      return { ok: false, text: `${shortId(id)}: ${gone ? texts.hub.unknown : reasonOf(error)}` };
    }
  };
}

function Here({ title, status }: { title: string; status: Schema<"PickupStatus">[] }) {
  const list = useList("list-pickups", { status, sort: "longest_waiting", limit: 50 });
  return (
    <section className="card">
      <h2>
        {title} <output>{list.data && (list.hasNextPage ? `${list.data.length}+` : list.data.length)}</output>
      </h2>
      <Instead of={list} />
      <ul className="rows">
        {list.data?.map((pickup) => (
          <li key={pickup.id} className={`row s-${pickup.status}`}>
            <PickupCard pickup={pickup} />
            <Transitions pickup={pickup} />
          </li>
        ))}
      </ul>
      <More of={list} />
    </section>
  );
}

/** What should have been delivered by now, as its window says. */
function Overdue() {
  const now = useNow();
  const list = useList("list-pickups", {
    status: ["RECEIVED", "PACKED", "SHIPPED"],
    sort: "longest_waiting",
    limit: 200,
  });
  const late = (list.data ?? []).filter(isLate(now));
  return (
    <section className="card overdue">
      <h2>
        {texts.hub.overdue} <output>{late.length}</output>
      </h2>
      {late.length === 0 && <p className="empty">{texts.hub.noOverdue}</p>}
      <ul className="rows">
        {late.map((pickup) => (
          <li key={pickup.id} className="row">
            <PickupCard pickup={pickup} />
            <b className="hot">{texts.hub.due(spanOf(now - Date.parse(pickup.window_end!)))}</b>
          </li>
        ))}
      </ul>
    </section>
  );
}

function isLate(now: number) {
  return ({ window_end }: Pickup) => typeof window_end === "string" && Date.parse(window_end) < now;
}
