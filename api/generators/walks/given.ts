import assert from "node:assert/strict";

/** What run.mjs gives to each walk: the server, a dispatcher's token, a new pickup, and the document's codes. */
export type Given = {
  url: string;
  token: string;
  pickup: {
    facility_id: string;
    account_id: string;
    price_cents: number;
    pickup_address: string;
    dropoff_address: string;
  };
  codes: string[];
};

export const given: Given = JSON.parse(process.env["WALK"] ?? "null");

/** The codes of submit-pickup. A walk does not compile if the generated type has another, lacks one, or is wider. */
export type SubmitCode = Parameters<typeof tell>[0];

/** Is true if both types are the same, and A is not any. An enum is compared by its values: pass `${Enum}`. */
export type Same<A, B> = 0 extends 1 & A ? false : [A, B] extends [B, A] ? true : false;

/** Tells what to do about a code: exhaustive, by the compiler. */
export function tell(
  code:
    | "unreadable_body" | "unauthenticated" | "forbidden" | "not_found" | "illegal_transition" | "insufficient_funds"
    | "stale_version" | "idempotency_key_reused" | "unknown_field" | "unknown_parameter" | "validation_failed"
    | "concurrency_limit" | "internal" | "overloaded" | "storage_full" | "unavailable" | "timeout"
    | "account_not_for_facility",
): "log in" | "read again" | "pay" | "wait" | "mend" | "report" {
  switch (code) {
    case "unauthenticated":
      return "log in";
    case "illegal_transition":
    case "not_found":
    case "stale_version":
      return "read again";
    case "insufficient_funds":
      return "pay";
    case "concurrency_limit":
    case "overloaded":
    case "storage_full":
    case "timeout":
    case "unavailable":
      return "wait";
    case "account_not_for_facility":
    case "forbidden":
    case "idempotency_key_reused":
    case "unknown_field":
    case "unknown_parameter":
    case "unreadable_body":
    case "validation_failed":
      return "mend";
    case "internal":
      return "report";
    default:
      return code satisfies never;
  }
}

/** The id of a pickup that each walk creates and cancels in a batch, whose items are told apart by operation. */
export const batched = crypto.randomUUID();

/** Fails unless both items of the batch were made. */
export function made(statuses: number[] | undefined) {
  assert.deepEqual(statuses, [201, 200]);
}

/** Fails unless the walk ended as it must: the second submit of a canceled pickup is refused. */
export function ended(statuses: string[], code: SubmitCode | undefined) {
  assert.deepEqual(statuses, ["DRAFT", "SUBMITTED", "CANCELED"]);
  assert.equal(code, "illegal_transition");
  assert.equal(tell(code), "read again");
}
