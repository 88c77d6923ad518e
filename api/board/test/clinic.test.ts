import assert from "node:assert/strict";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { after, afterEach, before, test } from "node:test";

import { unwrap } from "../../ts/dist/src/index.js";
import { card, many, order, type Page, submitted, visit, type Visit } from "./visit.js";
import { eventually, settled } from "./wait.js";

type Locator = ReturnType<Page["locator"]>;

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

/** With the day where midnight has passed since. */
const sentAt = /^Sent (.*, )?\d\d:\d\d/;

test("the clinic sees which texts were sent and which failed, and has one sent again", async () => {
  await submitted(v, { dropoff_address: "1 Accepted St" });
  const page = await v.login("staff", { timezoneId: "UTC" });
  const textsOf = (word: string) => page.locator(".texts > div").filter({ hasText: word });
  await textsOf("1 Accepted St").getByText(sentAt).waitFor();
  refusing = true;
  await submitted(v, { dropoff_address: "2 Refused St" });
  const failed = textsOf("2 Refused St").getByRole("listitem");
  // It was waiting to be sent: what became of it is shown without a reload.
  await failed.getByText(/^Failed (.*, )?\d\d:\d\d.*The gateway refused it/).waitFor();
  refusing = false;
  await failed.getByRole("button", { name: "Send again" }).click();
  await page.getByText("The text is sent again.").waitFor();
  await failed.getByText(sentAt).waitFor();
  await page.getByRole("button", { name: "Send again" }).waitFor({ state: "detached" });
  await settled(page);
  await eventually(async () => assert.equal(await failed.count(), 1));
});

test("where clocks at the facility show another time than the browser's, both are shown", async () => {
  const window = { window_start: "2030-01-07T17:00:00Z", window_end: "2030-01-07T18:30:00Z" };
  const id = await submitted(v, { ...window, dropoff_address: "3 Elsewhere St" });
  const there = "Mon 7 Jan, 09:00 – 10:30 GMT-8 at the facility";
  const [far, near] = [{ timezoneId: "Asia/Tokyo" }, { timezoneId: "America/Los_Angeles" }];
  // The pickup and the zone of its facility come in two answers, in either order.
  const saysBoth = (place: Locator) =>
    eventually(async () => {
      const text = (await place.textContent())?.replace("Mon, ", "Mon ") ?? "";
      assert.ok(text.includes(there), text);
    });

  // The card, the pickup's page with its machine and its way, and the driver's page.
  const dispatcher = await v.login("dispatcher", far);
  const onBoard = card(dispatcher, "SUBMITTED", "3 Elsewhere St");
  await onBoard.getByText("02:00").waitFor();
  await saysBoth(onBoard);
  await dispatcher.goto(`${v.server.url}/board/pickups/${id}`);
  const facts = dispatcher.locator(".facts").filter({ hasText: "02:00" });
  await saysBoth(facts);
  await dispatcher
    .locator(".way-taken li")
    .last()
    .getByText(/\d\d:\d\d GMT-[78] at the facility$/)
    .waitFor();
  await dispatcher
    .locator(".machine .when")
    .getByText(/\d\d:\d\d GMT-[78]$/)
    .first()
    .waitFor();
  const [own] = unwrap(await v.as("driver").drivers.list().page()).items;
  unwrap(await v.as("dispatcher").pickups.assign(id, { driver_id: own!.id }));
  const driver = await v.login("driver", far);
  const task = driver.locator(".task").filter({ hasText: "3 Elsewhere St" });
  await saysBoth(task);

  // Appointments, and what is being booked.
  const staff = await v.login("staff", far);
  await staff
    .locator(".booking")
    .getByText(/\d\d:\d\d – .*\d\d:\d\d GMT-[78] at the facility$/)
    .waitFor();
  await staff
    .locator(".appointment")
    .getByText(/\d\d:\d\d GMT-[78] at the facility$/)
    .first()
    .waitFor();

  // Where the clocks are the same, and where nobody has said them, there is one time.
  const { facility_id } = unwrap(await v.as("staff").pickups.get(id));
  const { name } = unwrap(await v.as("staff").facilities.get(facility_id));
  const saysOne = async (page: Page) => {
    await page.goto(`${v.server.url}/board/pickups/${id}`);
    // The facility's name is read with its zone: only then does the lack of a second time say anything.
    await page.locator("main").getByRole("heading", { name }).waitFor();
    await page.locator(".way-taken li").nth(2).waitFor();
    await settled(page);
    assert.doesNotMatch((await page.locator("main").textContent())!, /at the facility/);
  };
  await saysOne(await v.login("dispatcher", near));
  const admin = await v.login("admin", far);
  await admin.goto(`${v.server.url}/board/facilities/${facility_id}`);
  const zone = admin.getByLabel("Time zone");
  await eventually(async () => assert.equal(await zone.inputValue(), "America/Los_Angeles"));
  await zone.fill("Mars/Olympus");
  await admin.getByRole("button", { name: "Save" }).click();
  await admin.getByText(/^time_zone: expected the name/).waitFor();
  await zone.fill("");
  await admin.getByRole("button", { name: "Save" }).click();
  await admin.getByText("The facility is changed.").waitFor();
  assert.equal(unwrap(await v.as("admin").facilities.get(facility_id)).time_zone, null);
  await saysOne(admin);
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
  await page.clock.setFixedTime(day + 43_200_000); // that day, also when it ends meanwhile
  await page.reload();
  const row = ({ given_name, family_name }: typeof first) =>
    page.locator(".appointment").filter({ hasText: `${given_name} ${family_name}` });
  await row(second).getByRole("button", { name: "Book a pickup" }).waitFor();
  await row(first).getByText("has a pickup").waitFor();
  await row(first).getByRole("button").waitFor({ state: "detached" });
  // Booked for an appointment, it goes the way that the last booking went, once that is read.
  await page.getByRole("region", { name: "Book like" }).waitFor();
  await row(second).getByRole("button", { name: "Book a pickup" }).click();
  await page.getByRole("button", { name: "Book", exact: true }).click();
  await page.getByText(/Pickup .* is booked/).waitFor();
  await row(second).getByText("has a pickup").waitFor();
});
