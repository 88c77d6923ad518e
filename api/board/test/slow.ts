import { createHash, randomInt } from "node:crypto";
import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import type { Page } from "./visit.js";

// A page on a slow machine, behind a slow connection: what a test reads too early is not there yet.

/** What each question to the API waits, and its answer, in ms: up to so many, "400", or from so many on, "50-1500". */
const [most = 0, least = 0] = (process.env["BOARD_DELAY"] ?? "0").split("-").map(Number).reverse();

/** Which of them wait for how long: the nth request of a kind does for as long in each run with the seed. */
const seed = process.env["BOARD_SEED"] ?? randomInt(2 ** 31);

/** How many times slower than this machine the pages are. */
const throttle = Number(process.env["BOARD_THROTTLE"] ?? 1);

const asked = new Map<string, number>();

/** Returns how long the next request of a kind waits, twice. */
function delaysOf(method: string | undefined, path: string): { before: number; behind: number } {
  const kind = `${method} ${path.replace(/\?.*/, "").replaceAll(/[0-9a-f-]{36}/g, "*")}`;
  const n = (asked.get(kind) ?? 0) + 1;
  asked.set(kind, n);
  const digest = createHash("sha256").update(`${seed} ${kind} ${n}`).digest();
  const [before, behind] = [0, 4].map((at) => least + (digest.readUInt32BE(at) / 2 ** 32) * (most - least));
  return { before: before!, behind: behind! };
}

/** Starts a proxy behind which answers come late, and in another order than they were asked for. */
export async function delayed(target: string): Promise<{ url: string; close: () => void }> {
  if (!most) return { url: target, close: () => {} };
  console.log(`BOARD_DELAY=${process.env["BOARD_DELAY"]} BOARD_SEED=${seed}`);
  const { hostname, port } = new URL(target);
  const server = createServer(async (asked, answer) => {
    const { method, headers, url: path = "" } = asked;
    const { before, behind } = path.startsWith("/v1/") ? delaysOf(method, path) : { before: 0, behind: 0 };
    await sleep(before);
    if (answer.destroyed) return;
    const passed = request({ hostname, port, path, method, headers }, async (got) => {
      await sleep(behind);
      answer.writeHead(got.statusCode!, got.headers).flushHeaders(); // a stream is told from its start on
      pipeline(got, answer, () => {});
    });
    passed.on("error", () => answer.destroy());
    answer.on("close", () => passed.destroy());
    asked.pipe(passed);
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const close = () => {
    server.close();
    server.closeAllConnections();
  };
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, close };
}

/** Slows the processor of a page down. */
export async function throttled(page: Page): Promise<void> {
  if (throttle <= 1) return;
  const cdp = await page.context().newCDPSession(page);
  await cdp.send("Emulation.setCPUThrottlingRate", { rate: throttle });
}
