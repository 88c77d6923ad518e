import type { components } from "./schema.js";

/** The body of every error. In an operation's answers, its code is one of those that the operation declares. */
export type Problem = components["schemas"]["Problem"];

/** A problem as an exception. */
export class Refused<P extends Problem = Problem> extends Error {
  constructor(readonly problem: P) {
    super(`${problem.code}: ${problem.detail}`);
    this.name = "Refused";
  }
}

/** Returns the data of an answer, or throws its problem: for callers that do not handle it themselves. */
export function unwrap<T, P extends Problem>(answer: { data: T; error?: never } | { data?: never; error: P }): T {
  if (answer.error !== undefined) throw new Refused(answer.error);
  return answer.data as T;
}
