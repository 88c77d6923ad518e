import { newId, Refused, unwrap } from "@waybill/client";
import { useList, useWaybill } from "@waybill/client/react";
import { useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useRef, useState } from "react";
import { Button, Form } from "react-aria-components";

import { shortId, spanOf, timeOf } from "../format";
import { useNow } from "../now";
import { Field } from "../parts/form";
import { isUnanswered } from "../outbox";
import { reasonOf } from "../parts/notices";
import { Heading, Instead, More } from "../parts/page";
import { useWhole } from "../parts/whole";
import { PickupCard } from "../pickup/card";
import { type Pickup, type Rule, type Status, Transitions, useRules } from "../pickup/transitions";
import { texts } from "../texts";

const comingIn: Status[] = ["COLLECTED"];
const here: Status[] = ["RECEIVED", "PACKED", "SHIPPED"];
const atHub = [...comingIn, ...here];

type Told = { ok: boolean; text: string };
type Outcome = Told & { key: number; at: string };

const uuid = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/i;

/** The hub's page: a scanner types an id and Enter, and the pickup takes its next step. */
export function Hub() {
  return (
    <div className="hub">
      <Heading title={texts.hub.title}>{texts.hub.title}</Heading>
      <Scanner />
      <div className="halves">
        <Overdue />
        <Here title={texts.hub.expected} status={comingIn} />
        <Here title={texts.hub.here} status={here} />
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
      {!newest && <p className="hint">{texts.hub.ready}</p>}
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

/** A step whose answer did not come. */
type Step = { rule: Rule; idempotencyKey: string };

/**
 * Returns a function that makes the transition which the rules have next for a pickup, and says what came of it. After
 * a step that was not answered, the next scan sends that one again: it may have been taken, and is not taken twice.
 */
function useNextStep() {
  const waybill = useWaybill();
  const cache = useQueryClient();
  const rules = useRules();
  const unanswered = useRef(new Map<string, Step>());
  const busy = useRef(new Set<string>());
  const take = async (id: string): Promise<Told> => {
    let step = unanswered.current.get(id);
    if (!step) {
      const pickup = unwrap(await waybill.pickups.get(id));
      const rule = rules.find((r) => r.from_statuses.includes(pickup.status));
      if (!rule) return { ok: false, text: `${shortId(id)}: ${texts.status[pickup.status]}. ${texts.hub.nothing}` };
      step = { rule, idempotencyKey: newId() };
    }
    const { rule, idempotencyKey } = step;
    const make = waybill.pickups[rule.transition] as typeof waybill.pickups.receive;
    unanswered.current.set(id, step);
    const made = await make(id, { idempotencyKey });
    if (made.ok || !isUnanswered(new Refused(made.error))) unanswered.current.delete(id);
    unwrap(made);
    void cache.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] === "list-pickups" });
    return { ok: true, text: texts.hub.done(texts.done[rule.transition], shortId(id)) };
  };
  return async (id: string): Promise<Told> => {
    if (busy.current.has(id)) return { ok: false, text: `${shortId(id)}: ${texts.hub.busy}` };
    busy.current.add(id);
    try {
      return await take(id);
    } catch (error) {
      const gone = error instanceof Refused && error.problem.code === "not_found";
      const why = gone ? texts.hub.unknown : isUnanswered(error) ? texts.hub.unanswered : reasonOf(error);
      return { ok: false, text: `${shortId(id)}: ${why}` };
    } finally {
      busy.current.delete(id);
    }
  };
}

function Here({ title, status }: { title: string; status: Status[] }) {
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
            {status.length > 1 && (
              <span className={`status s-${pickup.status}`}>{texts.status[pickup.status]}</span>
            )}
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
  const list = useList("list-pickups", { status: atHub, sort: "longest_waiting", limit: 200 });
  const isWhole = useWhole(list);
  const late = (list.data ?? []).filter(isLate(now));
  return (
    <section className="card overdue">
      <h2>
        {texts.hub.overdue} <output>{late.length}</output>
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
            <PickupCard pickup={pickup} />
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
