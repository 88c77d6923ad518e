import { newId, Refused, unwrap } from "@waybill/client";
import { useWaybill } from "@waybill/client/react";
import { useQueryClient } from "@tanstack/react-query";
import { useRef } from "react";

import { shortId } from "../format";
import { isUnanswered } from "../outbox";
import { reasonOf } from "../parts/notices";
import { useOwnStatuses } from "../pickup/statuses";
import { type Rule, useRules } from "../pickup/transitions";
import { texts } from "../texts";

/** What came of a scan. */
export type Told = { ok: boolean; text: string };

/** A step whose answer did not come. */
type Step = { rule: Rule; idempotencyKey: string };

/**
 * Returns a function that makes the transition which the rules have next for a pickup, and says what came of it. After
 * a step that was not answered, the next scan sends that one again: it may have been taken, and is not taken twice.
 */
export function useNextStep() {
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
      return failure(id, error, texts.hub.unanswered);
    } finally {
      busy.current.delete(id);
    }
  };
}

/** Returns a function that finds the one open pickup here, or coming in, whose id ends like what was typed. */
export function useFind() {
  const waybill = useWaybill();
  const statuses = useOwnStatuses();
  return async (end: string): Promise<{ id: string } | Told> => {
    try {
      const found: string[] = [];
      for await (const { id } of waybill.pickups.list({ status: statuses, limit: 200 })) {
        if (id.endsWith(end)) found.push(id);
      }
      const [id] = found;
      if (id === undefined) return { ok: false, text: `${shortId(end)}: ${texts.hub.unknown}` };
      return found.length === 1
        ? { id }
        : { ok: false, text: `${shortId(end)}: ${texts.hub.several(found.length)}` };
    } catch (error) {
      return failure(end, error, texts.refused.no_answer);
    }
  };
}

function failure(id: string, error: unknown, unanswered: string): Told {
  const isGone = error instanceof Refused && error.problem.code === "not_found";
  const why = isGone ? texts.hub.unknown : isUnanswered(error) ? unanswered : reasonOf(error);
  return { ok: false, text: `${shortId(id)}: ${why}` };
}
