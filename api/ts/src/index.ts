import createFetchClient, { type Client, type ClientOptions } from "openapi-fetch";

import type { components, paths } from "./schema.js";

export { Refused, unwrap, type Problem } from "./problem.js";
export type { components, operations, paths } from "./schema.js";
export { follow, type Message } from "./stream.js";

/** A schema of the document: Schema<"Pickup">. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

export type Waybill = Client<paths>;

/** The options of a client: those of openapi-fetch, and the token of a session. */
export type Options = ClientOptions & { baseUrl: string; token?: string };

/**
 * Makes a client with a function for each method, typed by the path:
 *
 *     const { data, error } = await waybill.POST("/v1/pickups/{pickup_id}/assign", {
 *       params: { path: { pickup_id } },
 *       body: { driver_id },
 *     });
 *     switch (error?.code) {
 *       case "driver_busy": // the compiler knows which codes there are
 *     }
 */
export function createClient({ token, ...options }: Options): Waybill {
  const client = createFetchClient<paths>(options);
  if (token !== undefined) {
    client.use({ onRequest: ({ request }) => request.headers.set("Authorization", `Bearer ${token}`) });
  }
  return client;
}
