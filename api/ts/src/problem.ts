import type { components } from "./schema.js";

/** What every refusal is. Where an operation answers one, its code has the values that it declares. */
export type Problem = components["schemas"]["Problem"];

/** A refusal as an exception. */
export class Refused<P extends Problem = Problem> extends Error {
  constructor(readonly problem: P) {
    super(`${problem.code}: ${problem.detail}`);
    this.name = "Refused";
  }
}

/** Gives the data of an answer, or throws its problem: for callers that do not look at it. */
export function unwrap<T, P extends Problem>(answer: { data: T; error?: never } | { data?: never; error: P }): T {
  if (answer.error !== undefined) throw new Refused(answer.error);
  return answer.data as T;
}
