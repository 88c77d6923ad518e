import assert from "node:assert/strict";

import {
  cancelPickup,
  createPickup,
  submitPickup,
  type submitPickupResponseError,
  type Write,
  writeBatch,
} from "../out/orval.js";
import { batched, ended, given, made, type Same, type SubmitCode } from "./given.js";

true satisfies Same<submitPickupResponseError["data"]["code"], SubmitCode>;

// orval's functions call fetch with a path alone, and take no token.
const { fetch } = globalThis;
globalThis.fetch = (path, init) => {
  assert(typeof path === "string");
  const headers = new Headers(init?.headers);
  headers.set("Authorization", `Bearer ${given.token}`);
  return fetch(new URL(path, given.url), { ...init, headers });
};

const created = await createPickup(given.pickup);
assert(created.status === 201);
const { id } = created.data;
const submitted = await submitPickup(id);
assert(submitted.status === 200);
const canceled = await cancelPickup(id, { reason: "Booked twice" });
assert(canceled.status === 200);
const refused = await submitPickup(id);
assert(refused.status === 409);
ended([created.data.status, submitted.data.status, canceled.data.status], refused.data.code);
assert.equal(refused.data.current_status, "CANCELED");

const items: Write[] = [
  { operation: "create-pickup", body: { ...given.pickup, id: batched } },
  { operation: "cancel-pickup", path: { pickup_id: batched }, body: { reason: "Booked twice" } },
];
// @ts-expect-error: an assignment has a body
true || items.push({ operation: "assign-pickup", path: { pickup_id: batched } });
const batch = await writeBatch({ items });
assert(batch.status === 200);
made(batch.data.items.map(({ status }) => status));
