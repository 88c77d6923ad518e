import { useList } from "@waybill/client/react";
import { useMemo } from "react";

import type { Rule, Status } from "./transitions";

export type Statuses = {
  /** Those in which a pickup waits for something: a transition leads to them, and another from them. */
  open: Status[];
  /** Those that no transition leaves. */
  ended: Status[];
};

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
