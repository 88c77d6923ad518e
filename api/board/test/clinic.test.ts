import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { many, order, submitted, visit, type Visit } from "./visit.js";

let v: Visit;
let gateway: Server;
let refusing = false;

before(async () => {
  gateway = createServer((request, response) => {
    request.resume().on("end", () => {
      response.setHeader("Content-Type", "application/json");
      response.writeHead(refusing ? 422 : 200).end(refusing ? '{"code":"invalid_number"}' : '{"accepted":true}');
    });
  });
  await new Promise<void>((listening) => gateway.listen(0, "127.0.0.1", listening));
  v = await visit({
    WAYBILL_GATEWAY_URL: `http://127.0.0.1:${(gateway.address() as AddressInfo).port}`,
    WAYBILL_GATEWAY_SECRET: `whsec_${Buffer.alloc(32, 1).toString("base64")}`,
    WAYBILL_GATEWAY_ALLOW_HTTP: "true",
  });
});

after(async () => {
  await v?.close();
  gateway.close();
});

afterEach(async () => assert.deepEqual(await v.complaints(), []));

test("the clinic sees which texts were sent and which failed, and has one sent again", async () => {
  await submitted(v, { dropoff_address: "1 Accepted St" });
  const page = await v.login("staff", { timezoneId: "UTC" });
  const textsOf = (word: string) => page.locator(".texts > div").filter({ hasText: word });
  await textsOf("1 Accepted St")
    .getByText(/^Sent \d\d:\d\d/)
    .waitFor();
  refusing = true;
  await submitted(v, { dropoff_address: "2 Refused St" });
  const failed = textsOf("2 Refused St").getByRole("listitem");
  // It was waiting to be sent: what became of it is shown without a reload.
  await failed.getByText(/^Failed \d\d:\d\d.*The gateway refused it/).waitFor();
  refusing = false;
  await failed.getByRole("button", { name: "Send again" }).click();
  await page.getByText("The text is sent again.").waitFor();
  await failed.getByText(/^Sent \d\d:\d\d/).waitFor();
  assert.equal(await failed.count(), 1);
  assert.equal(await page.getByRole("button", { name: "Send again" }).count(), 0);
});

test("an appointment whose pickup is far down the list is not offered another", async () => {
  const [facility] = unwrap(await v.as("staff").facilities.list().page()).items;
  assert(facility);
  const day = Date.parse(new Date().toISOString().slice(0, 10));
  const [from, to] = [day, day + 86_400_000].map((at) => new Date(at).toISOString());
  const query = { facility_id: facility.id, from: from!, to: to!, status: "BOOKED" } as const;
  const [first, second] = unwrap(await v.as("staff").appointments.list(query).page()).items;
  assert(first && second);
  unwrap(await v.as("staff").pickups.create(await order(v, { patient_id: first.patient_id })));
  await many(v, 230); // more than a page
  const page = await v.login("staff", { timezoneId: "UTC" });
  const row = ({ given_name, family_name }: typeof first) =>
    page.locator(".appointment").filter({ hasText: `${given_name} ${family_name}` });
  await row(second).getByRole("button", { name: "Book a pickup" }).waitFor();
  await row(first).getByText("has a pickup").waitFor();
  assert.equal(await row(first).getByRole("button").count(), 0);
  // Booked for an appointment, it goes the way that the last booking went.
  await row(second).getByRole("button", { name: "Book a pickup" }).click();
  await page.getByRole("button", { name: "Book", exact: true }).click();
  await page.getByText(/Pickup .* is booked/).waitFor();
  await row(second).getByText("has a pickup").waitFor();
});
