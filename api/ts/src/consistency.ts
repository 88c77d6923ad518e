import type { Middleware } from "openapi-fetch";

const name = "Waybill-Consistency";

/**
 * Keeps what a client has read and written. Waybill may serve reads from replicas of its database: each answer then
 * tells a position, and a read that sends it is no older. Where an answer has none, or there is no answer, the position
 * is forgotten, and a read shows what is there when it arrives; so it is after each part of the event stream, which
 * tells what may be newer.
 */
export function consistency(): Middleware {
  let newest = "";
  let forgotten = 0; // how often: what was asked before does not know what was forgotten
  const asked = new Map<string, number>();
  const forget = () => {
    newest = "";
    forgotten++;
  };
  return {
    onRequest: ({ id, request }) => {
      asked.set(id, forgotten);
      if (newest !== "") request.headers.set(name, newest);
    },
    onResponse: ({ id, response }) => {
      const before = asked.get(id);
      asked.delete(id);
      const told = response.headers.get(name);
      if (!told) forget();
      else if (before === forgotten && told > newest) newest = told;
      return isStream(response) ? forgetting(response, forget) : undefined;
    },
    onError: ({ id }) => {
      asked.delete(id);
      forget();
    },
  };
}

function isStream({ headers, body }: Response): boolean {
  return body !== null && (headers.get("Content-Type") ?? "").startsWith("text/event-stream");
}

/** The same response, each part of whose body forgets. */
function forgetting(response: Response, forget: () => void): Response {
  const parts = new TransformStream<Uint8Array, Uint8Array>({
    transform: (part, to) => {
      forget();
      to.enqueue(part);
    },
  });
  return new Response(response.body!.pipeThrough(parts), response);
}
