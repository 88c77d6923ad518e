import { useList } from "@waybill/client/react";
import { useMemo } from "react";

import { type Rule, type Status, useRules } from "./transitions";

export type Statuses = {
  /** Those in which a pickup waits for something: a transition leads to them, and another from them. */
  open: Status[];
  /** Those that no transition leaves. */
  ended: Status[];
};

/**
 * Returns the open statuses from the first to the last in which the viewer's role has a step, also those between, in
 * which others have the next one. It has none until the rules are read.
 */
export function useOwnStatuses(): Status[] {
  const { open } = useStatuses();
  const rules = useRules();
  return useMemo(() => {
    const hasStep = open.map((status) => rules.some((rule) => rule.from_statuses.includes(status)));
    return open.slice(hasStep.indexOf(true), hasStep.lastIndexOf(true) + 1);
  }, [open, rules]);
}

/** Returns all statuses that the server's rules have but one. */
export function useStatusesBut(one: Status): Status[] {
  const rules = useList("list-pickup-transitions").data;
  return useMemo(() => {
    const all = (rules ?? []).flatMap((rule) => [...rule.from_statuses, rule.to_status]);
    return [...new Set(all)].filter((status) => status !== one);
  }, [rules, one]);
}

/** Returns the statuses as the server's rules have them, in the order of the transitions that lead to them. */
export function useStatuses(): Statuses {
  const rules = useList("list-pickup-transitions").data;
  return useMemo(() => statusesOf(rules ?? []), [rules]);
}

function statusesOf(rules: Rule[]): Statuses {
  const reached = [...new Set(rules.map((rule) => rule.to_status))];
  const isLeft = (status: Status) => rules.some((rule) => rule.from_statuses.includes(status));
  return { open: reached.filter(isLeft), ended: reached.filter((status) => !isLeft(status)) };
}
