import type { Schema, Waybill } from "./index.js";
import { Refused } from "./problem.js";

/** One message of the stream. A checkpoint has an id and no event. */
export type Message = { id: string; event?: Schema<"PickupEvent"> };

/**
 * Follows stream-pickups until the server ends the answer, or the signal aborts it:
 *
 *     for await (const { id, event } of follow(waybill, { after, signal })) {
 *       after = id;
 *       if (event) show(event);
 *     }
 *
 * After an interruption, call it again with the last id: nothing is missed.
 */
export async function* follow(
  waybill: Waybill,
  { after, signal }: { after?: string | undefined; signal?: AbortSignal } = {},
): AsyncGenerator<Message, void> {
  const { data, error } = await waybill.GET("/v1/pickups/stream", {
    params: { header: after === undefined ? {} : { "Last-Event-ID": after } },
    parseAs: "stream",
    ...(signal && { signal }),
  });
  if (error) throw new Refused(error);
  if (!data) return;
  let rest = "";
  let fields = new Map<string, string>();
  for await (const text of data.pipeThrough(new TextDecoderStream())) {
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        const message = messageOf(fields);
        if (message) yield message;
        fields = new Map();
      } else if (!line.startsWith(":")) {
        fields.set(...field(line)); // a line that begins with a colon is a comment that keeps the connection open
      }
    }
  }
}

function messageOf(fields: Map<string, string>): Message | undefined {
  const [id, name, json] = [fields.get("id"), fields.get("event"), fields.get("data")];
  if (id === undefined || json === undefined) return undefined;
  return name === "checkpoint" ? { id } : { id, event: JSON.parse(json) };
}

function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
