import assert from "node:assert/strict";
import { test } from "node:test";

import { createClient, follow } from "../src/index.js";

/** A client whose answers the test gives, and what it has sent. */
function told() {
  const sent: (string | null)[] = [];
  const waiting: ((answer: Response | Error) => void)[] = [];
  const client = createClient({
    baseUrl: "http://waybill.example",
    token: "token",
    fetch: (request) => {
      sent.push(request.headers.get("Waybill-Consistency"));
      return new Promise((resolve, reject) => {
        waiting.push((answer) => (answer instanceof Error ? reject(answer) : resolve(answer)));
      });
    },
  });
  const ask = async () => {
    const asked = client.GET("/v1/flags").catch(() => {});
    await until(() => waiting.length > 0);
    return { asked, answer: waiting.pop()! };
  };
  const reads = async (answer: Response | Error) => {
    const one = await ask();
    one.answer(answer);
    await one.asked;
    return sent.at(-1);
  };
  return { client, sent, waiting, ask, reads };
}

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 1));
}

function answer(position?: string): Response {
  return Response.json({ items: [] }, { headers: position === undefined ? {} : { "Waybill-Consistency": position } });
}

test("a client sends the newest position, and none once an answer may have told more than it knows", async () => {
  const { reads } = told();
  const steps: [string | null, Response | Error][] = [
    [null, answer("a1")],
    ["a1", answer("a3")],
    ["a3", answer("a2")],
    ["a3", answer("b1")],
    ["b1", answer()],
    [null, answer("a4")],
    ["a4", new Error("no answer")],
    [null, answer("a5")],
    ["a5", answer("a5")],
  ];
  for (const [sends, answered] of steps) assert.equal(await reads(answered), sends);
});

test("what was asked before something was forgotten does not know it", async () => {
  const { ask, reads } = told();
  const late = await ask();
  await reads(answer()); // of a write, perhaps
  late.answer(answer("a1"));
  await late.asked;
  assert.equal(await reads(answer("a2")), null);
});

test("each part of the event stream has the client forget its position", async () => {
  const { client, reads, waiting } = told();
  const stop = new AbortController();
  const events = new TransformStream<Uint8Array, Uint8Array>();
  const stream = follow(client, { signal: stop.signal });
  const first = stream.next();
  await until(() => waiting.length > 0);
  waiting.pop()!(
    new Response(events.readable, {
      headers: { "Content-Type": "text/event-stream; charset=utf-8", "Waybill-Consistency": "a1" },
    }),
  );
  await new Promise((resolve) => setTimeout(resolve, 10));
  assert.equal(await reads(answer("a2")), "a1");
  const writer = events.writable.getWriter();
  await writer.write(new TextEncoder().encode('event: checkpoint\nid: 1\ndata: {}\n\n'));
  assert.deepEqual((await first).value, { id: "1" });
  assert.equal(await reads(answer("a3")), null);
  assert.equal(await reads(answer("a3")), "a3");
  await stream.return();
});
