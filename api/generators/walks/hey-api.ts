import assert from "node:assert/strict";

import { createClient } from "../out/hey-api/client/index.js";
import {
  cancelPickup,
  createPickup,
  type SubmitPickupError,
  submitPickup,
  type Write,
  writeBatch,
} from "../out/hey-api/index.js";
import { zPickup, zWrite } from "../out/hey-api/zod.gen.js";
import { batched, ended, given, made, type Same, type SubmitCode } from "./given.js";

true satisfies Same<SubmitPickupError["code"], SubmitCode>;

// Requests and answers are validated by the generated zod schemas.
const client = createClient({ baseUrl: given.url, auth: given.token });

const created = await createPickup({ client, body: given.pickup });
assert(created.data);
JSON.stringify(zPickup.parse(created.data)); // no BigInt
const path = { client, path: { pickup_id: created.data.id } };
const submitted = await submitPickup(path);
assert(submitted.data);
const canceled = await cancelPickup({ ...path, body: { reason: "Booked twice" } });
assert(canceled.data);
const refused = await submitPickup(path);
ended([created.data.status, submitted.data.status, canceled.data.status], refused.error?.code);
if (refused.error?.code === "illegal_transition") assert.equal(refused.error.current_status, "CANCELED");
else assert.fail();

const items: Write[] = [
  { operation: "create-pickup", body: { ...given.pickup, id: batched } },
  { operation: "cancel-pickup", path: { pickup_id: batched }, body: { reason: "Booked twice" } },
];
// @ts-expect-error: an assignment has a body
true || items.push({ operation: "assign-pickup", path: { pickup_id: batched } });
assert(!zWrite.safeParse({ operation: "assign-pickup", path: { pickup_id: batched } }).success);
const batch = await writeBatch({ client, body: { items } });
made(batch.data?.items.map(({ status }) => status));
