import createFetchClient, { type Client as FetchClient, type ClientOptions } from "openapi-fetch";

import { consistency } from "./consistency.js";
import type { paths } from "./schema.js";

export type Client = FetchClient<paths>;

/** The options of a client: those of openapi-fetch, and the token of a session. */
export type Options = ClientOptions & {
  baseUrl: string;
  /** The token that a login returned, or a function that returns the present one. */
  token?: string | (() => string | undefined) | undefined;
};

/**
 * Makes a client with a function for each method, typed by the path: one request for each call, without
 * retries. createWaybill has a function for each operation, which retries. Both read what they wrote, also where
 * replicas serve reads.
 *
 *     const { data, error } = await client.POST("/v1/pickups/{pickup_id}/assign", {
 *       params: { path: { pickup_id } },
 *       body: { driver_id },
 *     });
 *     switch (error?.code) {
 *       case "driver_busy": // the compiler knows which codes there are
 *     }
 */
export function createClient({ token, ...options }: Options): Client {
  // The present fetch, not that of now: what replaces it, like Mock Service Worker, may begin later.
  const client = createFetchClient<paths>({ fetch: (request) => globalThis.fetch(request), ...options });
  client.use({
    onRequest: ({ request }) => {
      const present = typeof token === "function" ? token() : token;
      if (present !== undefined) request.headers.set("Authorization", `Bearer ${present}`);
    },
  });
  client.use(consistency());
  return client;
}
