import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import type { Browser, Page } from "playwright-core";

import { createClient, unwrap } from "../src/index.js";
import { launch, serveSite, type Site } from "./browser.js";
import { type Server, start } from "./server.js";

let server: Server;
let site: Site;
let browser: Browser;

before(async () => {
  [server, site, browser] = await Promise.all([start(), serveSite(), launch()]);
});

after(async () => {
  await browser?.close();
  site?.close();
  await server?.stop();
});

/** Opens the page under a host name, which is part of its origin. */
async function open(host: string): Promise<Page> {
  const page = await browser.newPage();
  await page.goto(`http://${host}:${site.port}/`);
  return page;
}

function userOf(role: string) {
  const user = server.users.find((u) => u.role === role);
  assert(user);
  return user;
}

test("a page of another origin logs in, writes, reads headers and errors, and follows the stream", async () => {
  const page = await open("127.0.0.1");
  const admin = createClient({ baseUrl: server.url, token: userOf("admin").token });
  const facility_id = unwrap(await admin.GET("/v1/facilities")).items[0]!.id;
  const account_id = unwrap(await admin.GET("/v1/accounts")).items[0]!.id;
  const order = {
    facility_id,
    account_id,
    price_cents: 3000,
    pickup_address: "2401 Mission St",
    dropoff_address: "1 Lab Way",
  };
  const { email, password } = userOf("staff");
  const login = { tenant: server.tenant, email, password };
  const seen = await page.evaluate(async ({ url, login, order }) => {
    const { createClient, follow, unwrap } = await import("@waybill/client" as "../src/index.js");
    const session = unwrap(await createClient({ baseUrl: url }).POST("/v1/sessions", { body: login }));
    const waybill = createClient({ baseUrl: url, token: session.token });
    const header = { "Idempotency-Key": crypto.randomUUID() };
    const created = await waybill.POST("/v1/pickups", { params: { header }, body: order });
    const repeated = await waybill.POST("/v1/pickups", { params: { header }, body: order });
    const { id: pickup_id } = unwrap(created);
    const headersOf = ({ response }: { response: Response }, ...names: string[]) =>
      names.filter((name) => response.headers.get(name) !== null);

    const stop = new AbortController();
    const stream = follow(waybill, { signal: stop.signal });
    await stream.next();
    unwrap(await waybill.POST("/v1/pickups/{pickup_id}/submit", { params: { path: { pickup_id } } }));
    const told = (await stream.next()).value;
    stop.abort();

    const edit = (etag: string) =>
      waybill.PATCH("/v1/pickups/{pickup_id}", {
        params: { path: { pickup_id }, header: { "If-Match": etag } },
        body: { note: "Ring twice" },
      });
    const stale = await edit(created.response.headers.get("ETag")!);
    return {
      created: headersOf(created, "ETag", "Location", "X-Request-Id"),
      repeated: headersOf(repeated, "Idempotency-Replayed"),
      told: told && told.event?.pickup_id === pickup_id ? told.event.transition : undefined,
      stale: stale.error?.code,
    };
  }, { url: server.url, login, order });
  assert.deepEqual(seen, {
    created: ["ETag", "Location", "X-Request-Id"],
    repeated: ["Idempotency-Replayed"],
    told: "submit",
    stale: "stale_version",
  });
});

test("a page of an origin that is not allowed gets nothing", async () => {
  const page = await open("elsewhere.localhost");
  const outcome = await page.evaluate(
    (url) => fetch(`${url}/livez`).then((r) => r.status, (error: Error) => error.name),
    server.url,
  );
  assert.equal(outcome, "TypeError");
});
