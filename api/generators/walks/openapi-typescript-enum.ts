import assert from "node:assert/strict";

import createClient from "openapi-fetch";

import {
  AssignPickupWriteOperation,
  CancelPickupWriteOperation,
  type components,
  CreatePickupWriteOperation,
  type operations,
  type paths,
} from "../out/openapi-typescript-enum.js";
import { batched, ended, given, made, type Same, type SubmitCode } from "./given.js";

type Responses = operations["submit-pickup"]["responses"];
type Problem = { [S in keyof Responses]: Responses[S]["content"] extends { "application/problem+json": infer P }
  ? P : never }[keyof Responses];
true satisfies Same<`${Problem["code"]}`, SubmitCode>;

const { url, token, pickup } = given;
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });

const created = await client.POST("/v1/pickups", { body: pickup });
assert(created.data);
const path = { params: { path: { pickup_id: created.data.id } } };
const submitted = await client.POST("/v1/pickups/{pickup_id}/submit", path);
assert(submitted.data);
const canceled = await client.POST("/v1/pickups/{pickup_id}/cancel", { ...path, body: { reason: "Booked twice" } });
assert(canceled.data);
const refused = await client.POST("/v1/pickups/{pickup_id}/submit", path);
ended([created.data.status, submitted.data.status, canceled.data.status], refused.error?.code);
if (refused.error?.code === "illegal_transition") assert.equal(refused.error.current_status, "CANCELED");
else assert.fail();

const items: components["schemas"]["Write"][] = [
  { operation: CreatePickupWriteOperation.create_pickup, body: { ...pickup, id: batched } },
  {
    operation: CancelPickupWriteOperation.cancel_pickup,
    path: { pickup_id: batched },
    body: { reason: "Booked twice" },
  },
];
// @ts-expect-error: an assignment has a body
true || items.push({ operation: AssignPickupWriteOperation.assign_pickup, path: { pickup_id: batched } });
const batch = await client.POST("/v1/batch", { body: { items } });
made(batch.data?.items.map(({ status }) => status));
