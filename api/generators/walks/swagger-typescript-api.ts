import assert from "node:assert/strict";

import { Api } from "../out/swagger-typescript-api.js";
import { ended, given, type Same, type SubmitCode } from "./given.js";

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
