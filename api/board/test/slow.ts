import { createServer, request } from "node:http";
import type { AddressInfo } from "node:net";
import { pipeline } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";

import type { Page } from "./visit.js";

// A page on a slow machine, behind a slow connection: what a test reads too early is not there yet.

/** What each question to the API waits before it is asked, and its answer before it is told: up to so many ms. */
const delay = Number(process.env["BOARD_DELAY"] ?? 0);

/** How many times slower than this machine the pages are. */
const throttle = Number(process.env["BOARD_THROTTLE"] ?? 1);

/** Starts a proxy behind which answers come late, and in another order than they were asked for. */
export async function delayed(target: string): Promise<{ url: string; close: () => void }> {
  if (!delay) return { url: target, close: () => {} };
  const { hostname, port } = new URL(target);
  const server = createServer(async (asked, answer) => {
    const { method, headers, url: path = "" } = asked;
    const wait = () => (path.startsWith("/v1/") ? sleep(Math.random() * delay) : undefined);
    await wait();
    if (answer.destroyed) return;
    const passed = request({ hostname, port, path, method, headers }, async (got) => {
      await wait();
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
