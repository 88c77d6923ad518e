import type { Schema, Waybill } from "./index.js";
import { Refused } from "./problem.js";

/** One message of the stream. A sign of life has no event, and an id all the same. */
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
  for await (const text of data.pipeThrough(new TextDecoderStream())) {
    const blocks = (rest + text).split("\n\n");
    rest = blocks.pop() ?? "";
    for (const block of blocks) {
      const fields = new Map(block.split("\n").map(field));
      const [id, json] = [fields.get("id"), fields.get("data")];
      if (id !== undefined) yield json === undefined ? { id } : { id, event: JSON.parse(json) };
    }
  }
}

function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
