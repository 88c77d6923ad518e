import assert from "node:assert/strict";
import { test } from "node:test";

import { Unsigned, verifyWebhook } from "../src/webhooks.js";

// The example of the Standard Webhooks specification.
const secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const body = '{"test": 2432232314}';
const headers = {
  "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
  "webhook-timestamp": "1614265330",
  "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const now = 1614265330_000;

test("a signed request is verified, and its body returned", async () => {
  const other = "whsec_b3RoZXIgc2VjcmV0IG9mIDI0IGJ5dGVzLg==";
  for (const secrets of [secret, `${other} ${secret}`]) {
    for (const signed of [headers, new Headers(headers)]) {
      assert.deepEqual(await verifyWebhook(secrets, signed, body, { now }), { test: 2432232314 });
    }
  }
});

test("a forged or old request is not", async () => {
  const forged: [string, Record<string, string>, string, number][] = [
    ["another body", headers, `${body} `, now],
    ["another id", { ...headers, "webhook-id": "msg_1" }, body, now],
    ["another time", { ...headers, "webhook-timestamp": "1614265331" }, body, now],
    ["an old request", headers, body, now + 360_000],
    ["a clock ahead", headers, body, now - 360_000],
    ["no time", { ...headers, "webhook-timestamp": "" }, body, now],
    ["no signature", { ...headers, "webhook-signature": "" }, body, now],
    ["no base64", { ...headers, "webhook-signature": "v1,%%%" }, body, now],
    ["another version", { ...headers, "webhook-signature": `v2${headers["webhook-signature"].slice(2)}` }, body, now],
  ];
  for (const [name, sent, text, at] of forged) {
    await assert.rejects(verifyWebhook(secret, sent, text, { now: at }), Unsigned, name);
  }
});

test("a secret that is none is refused", async () => {
  for (const none of ["", " ,", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]) {
    await assert.rejects(verifyWebhook(none, headers, body, { now }), TypeError, none);
  }
});
