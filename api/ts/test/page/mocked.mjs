import { createWaybill, unwrap } from "@waybill/client";
import { waybillHandlers } from "@waybill/client/msw";
import { setupServer } from "msw/node";

const origin = "https://waybill.example";
const mock = waybillHandlers({ origin });
const server = setupServer(...mock.handlers);
server.listen({ onUnhandledRequest: "error" });

const waybill = createWaybill({ baseUrl: origin, token: "x" });
const order = { facility_id: "f", account_id: "a", price_cents: 1, pickup_address: "A", dropoff_address: "B" };
const draft = unwrap(await waybill.pickups.create(order));
mock.respond("assign-pickup", { code: "driver_busy" }, { times: 1 });
const refused = await waybill.pickups.assign(draft.id, { driver_id: "d" });
const assigned = unwrap(await waybill.pickups.assign(draft.id, { driver_id: "d" }));
console.log(JSON.stringify({ draft: draft.status, refused: refused.error?.code, assigned: assigned.status }));
server.close();
