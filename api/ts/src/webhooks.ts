import type { webhooks } from "./schema.js";

/** The request that Waybill sends to the text gateway. */
export type TextRequest = webhooks["sendText"]["post"]["requestBody"]["content"]["application/json"];

/** An event of a pickup, as it is sent to a webhook endpoint. */
export type PickupEventRequest = webhooks["pickupEvent"]["post"]["requestBody"]["content"]["application/json"];

/** What is sent to a webhook endpoint when ping-webhook-endpoint asks for it. */
export type PingRequest = webhooks["webhookPing"]["post"]["requestBody"]["content"]["application/json"];

/** What is sent to a webhook endpoint: where type is "webhook.ping" it is a PingRequest. */
export type WebhookRequest = PickupEventRequest | PingRequest;

/** A request whose signature is missing, wrong or too old: answer 401, and do not act on it. */
export class Unsigned extends Error {
  constructor(reason: string) {
    super(`unsigned webhook: ${reason}`);
    this.name = "Unsigned";
  }
}

export type VerifyOptions = {
  /** How far the sender's clock may be off, in seconds; 300 by default. */
  tolerance?: number;
  /** The present, in milliseconds; Date.now() by default. */
  now?: number;
};

type Headers_ = { get(name: string): string | null } | Record<string, string | string[] | undefined>;

/**
 * Verifies a request that Waybill has signed (Standard Webhooks), and returns its body:
 *
 *     const text = await verifyWebhook(process.env.SECRET, request.headers, await request.text());
 *     const event = await verifyWebhook<WebhookRequest>(secret, request.headers, await request.text());
 *
 * The body is the text as it was received, not parsed and written again. secret is "whsec_" and base64;
 * several, separated by spaces or commas, are all valid while one is being replaced. Throws Unsigned.
 */
export async function verifyWebhook<Body = TextRequest>(
  secret: string,
  headers: Headers_,
  body: string,
  { tolerance = 300, now = Date.now() }: VerifyOptions = {},
): Promise<Body> {
  const id = headerOf(headers, "webhook-id");
  const timestamp = headerOf(headers, "webhook-timestamp");
  const seconds = /^[0-9]{1,12}$/.test(timestamp) ? Number(timestamp) : NaN;
  if (!(Math.abs(now / 1000 - seconds) <= tolerance)) throw new Unsigned("its time is too far from now");
  const signed = new TextEncoder().encode(`${id}.${timestamp}.${body}`);
  const signatures = headerOf(headers, "webhook-signature").split(" ");
  for (const key of await keysOf(secret)) {
    for (const signature of signatures) {
      const [version, mac] = signature.split(",", 2);
      const bytes = version === "v1" ? fromBase64(mac ?? "") : undefined;
      // subtle.verify compares in constant time.
      if (bytes && (await crypto.subtle.verify("HMAC", key, bytes, signed))) return JSON.parse(body) as Body;
    }
  }
  throw new Unsigned("no signature is by this secret");
}

function headerOf(headers: Headers_, name: string): string {
  const value = typeof headers.get === "function" ? headers.get(name) : (headers as Record<string, unknown>)[name];
  if (typeof value !== "string" || value === "") throw new Unsigned(`${name} is missing`);
  return value;
}

async function keysOf(secret: string): Promise<CryptoKey[]> {
  const secrets = secret.split(/[\s,]+/).filter((part) => part !== "");
  if (secrets.length === 0) throw new TypeError("the webhook's secret is empty");
  return Promise.all(
    secrets.map((part) => {
      const bytes = part.startsWith("whsec_") ? fromBase64(part.slice("whsec_".length)) : undefined;
      if (!bytes || bytes.length < 24) throw new TypeError("a webhook's secret is whsec_ and base64 of 24 to 64 bytes");
      return crypto.subtle.importKey("raw", bytes, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
    }),
  );
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> | undefined {
  try {
    return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
  } catch {
    return undefined;
  }
}
