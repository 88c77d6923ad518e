import type { components } from "./schema.js";

/** The body of every error. In an operation's answers, its code is one of those that the operation declares. */
export type Problem = components["schemas"]["Problem"];

/**
 * No answer came before the deadline, or none that is Waybill's. A write may have taken effect: the same
 * call with the same idempotencyKey or id tells.
 */
export type NoAnswer = { code: "no_answer"; detail: string; cause?: unknown };

type Error_ = Pick<Problem, "code" | "detail"> | NoAnswer;

/** A problem as an exception. */
export class Refused<P extends Error_ = Problem> extends Error {
  constructor(readonly problem: P) {
    super(`${problem.code}: ${problem.detail}`);
    this.name = "Refused";
  }
}

type Raw<T, P> = { data: T; error?: never } | { data?: never; error: P };

type Outcome<T, P> = { ok: true; value: T } | { ok: false; error: P };

/** Returns the data of an answer, or throws its problem: for callers that do not handle it themselves. */
export function unwrap<T, P extends Error_>(outcome: Outcome<T, P>): T;
export function unwrap<T, P extends Error_>(answer: Raw<T, P>): T;
export function unwrap<T, P extends Error_>(answer: Outcome<T, P> | Raw<T, P>): T {
  if ("ok" in answer) {
    if (answer.ok) return answer.value;
    throw new Refused(answer.error);
  }
  if (answer.error !== undefined) throw new Refused(answer.error);
  return answer.data as T;
}
