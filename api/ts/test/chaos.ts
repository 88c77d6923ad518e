import { createServer, type IncomingMessage, request, type ServerResponse } from "node:http";
import { type AddressInfo, connect, createServer as createTcpServer, type Socket } from "node:net";
import { setTimeout as sleep } from "node:timers/promises";

/** A generator of random numbers with a seed, which a failed test prints (mulberry32). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

export type Proxy = { url: string; close: () => void };

/** What the proxy does to a request. */
const faults = [
  "lose the request",
  "lose the answer",
  "delay",
  "deliver after the client has left", // by then, the client may have sent it again
  "deliver twice at once",
  "cut the answer",
] as const;

export type Fault = (typeof faults)[number];

/** What an unreliable proxy does, and has done. */
export type Unreliable = Proxy & {
  count: Record<Fault, number>;
  /** Waits for the requests that are still on their way. */
  settled: () => Promise<void>;
  /** How many that were late came after another of their kind, so that they took no effect. */
  overtaken: () => number;
};

/** A proxy of HTTP that does one of the faults to a share of all requests, and counts them. */
export async function unreliable(target: string, share: number, next: () => number): Promise<Unreliable> {
  const count = Object.fromEntries(faults.map((fault) => [fault, 0])) as Record<Fault, number>;
  const late = new Set<Promise<void>>();
  let overtaken = 0;
  /** Keeps a request whose answer nobody waits for. */
  const leave: Leave = (answer, isLate) => {
    const kept = answer
      .then(({ status, headers }) => {
        if (isLate && (status === 412 || headers["idempotency-replayed"] === "true")) overtaken++;
      })
      .catch(() => {}) // it is lost
      .finally(() => late.delete(kept));
    late.add(kept);
  };
  const server = createServer((from, to) => {
    const fault = next() < share ? faults[Math.floor(next() * faults.length)] : undefined;
    if (fault) count[fault]++;
    pass(target, from, to, fault, next, leave).catch(() => from.socket.destroy());
  });
  const settled = async () => {
    while (late.size > 0) await Promise.all(late);
  };
  return { ...(await listening(server)), count, settled, overtaken: () => overtaken };
}

type Leave = (answer: Promise<Forwarded>, isLate: boolean) => void;

async function pass(
  target: string,
  from: IncomingMessage,
  to: ServerResponse,
  fault: Fault | undefined,
  next: () => number,
  leave: Leave,
): Promise<void> {
  const body = await bytesOf(from);
  if (fault === "lose the request") throw new Error(fault);
  if (fault === "deliver after the client has left") {
    leave(sleep(50 + next() * 450).then(() => forward(target, from, body)), true);
    throw new Error(fault);
  }
  if (fault === "delay") await sleep(next() * 50);
  const sent = [forward(target, from, body)];
  if (fault === "deliver twice at once") sent.push(forward(target, from, body));
  const answer = await Promise.race(sent);
  if (sent.length > 1) for (const other of sent) leave(other, false);
  if (fault === "lose the answer") throw new Error(fault);
  to.writeHead(answer.status, answer.headers);
  if (fault !== "cut the answer") {
    to.end(answer.body);
    return;
  }
  to.flushHeaders();
  to.write(answer.body.subarray(0, Math.floor(next() * answer.body.length)), () => from.socket.destroy());
}

async function bytesOf(message: IncomingMessage): Promise<Buffer> {
  const chunks = [];
  for await (const chunk of message) chunks.push(chunk);
  return Buffer.concat(chunks);
}

type Forwarded = { status: number; headers: Record<string, string | string[] | undefined>; body: Buffer };

function forward(target: string, from: IncomingMessage, body: Buffer): Promise<Forwarded> {
  return new Promise((resolve, reject) => {
    const { host: _, ...headers } = from.headers;
    const to = request(new URL(from.url ?? "/", target), { method: from.method, headers }, (answer) => {
      bytesOf(answer).then(
        (bytes) => resolve({ status: answer.statusCode ?? 0, headers: answer.headers, body: bytes }),
        reject,
      );
    });
    to.on("error", reject).end(body);
  });
}

/** A proxy of TCP that cuts each connection after a random number of the answer's bytes, and counts the cuts. */
export async function cutting(
  target: string,
  longest: number,
  next: () => number,
): Promise<Proxy & { cuts: () => number }> {
  const { hostname, port } = new URL(target);
  let cuts = 0;
  const server = createTcpServer((client) => {
    const upstream = connect(Number(port), hostname);
    let left = 1 + Math.floor(next() * longest);
    const end = () => [client, upstream].forEach((socket: Socket) => socket.destroy());
    client.on("error", end).on("close", end).pipe(upstream);
    upstream.on("error", end).on("close", end).on("data", (bytes: Buffer) => {
      const part = bytes.subarray(0, left);
      left -= part.length;
      client.write(part, () => left > 0 || end());
      if (left === 0) cuts++;
    });
  });
  return { ...(await listening(server)), cuts: () => cuts };
}

async function listening(server: ReturnType<typeof createTcpServer>): Promise<Proxy> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const close = () => {
    server.close();
    if ("closeAllConnections" in server) (server.closeAllConnections as () => void)();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}
