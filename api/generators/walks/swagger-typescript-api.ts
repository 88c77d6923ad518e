import assert from "node:assert/strict";

import { Api, type Write } from "../out/swagger-typescript-api.js";
import { batched, ended, given, made, type Same, type SubmitCode } from "./given.js";

const { url, token, pickup } = given;
const { v1 } = new Api({ baseUrl: url, baseApiParams: { headers: { Authorization: `Bearer ${token}` } } });

type SubmitProblem = Awaited<ReturnType<typeof v1.submitPickup>>["error"];
true satisfies Same<SubmitProblem["code"], SubmitCode>;

const { data: created } = await v1.createPickup(pickup);
const { data: submitted } = await v1.submitPickup(created.id);
const { data: canceled } = await v1.cancelPickup(created.id, { reason: "Booked twice" });
const error = await v1.submitPickup(created.id).then(
  () => assert.fail(),
  (refused: { error: SubmitProblem }) => refused.error, // it throws the response
);
ended([created.status, submitted.status, canceled.status], error.code);
if (error.code === "illegal_transition") assert.equal(error.current_status, "CANCELED");
else assert.fail();

const items: Write[] = [
  { operation: "create-pickup", body: { ...pickup, id: batched } },
  { operation: "cancel-pickup", path: { pickup_id: batched }, body: { reason: "Booked twice" } },
];
// @ts-expect-error: an assignment has a body
true || items.push({ operation: "assign-pickup", path: { pickup_id: batched } });
const { data: batch } = await v1.writeBatch({ items });
made(batch.items.map(({ status }) => status));
