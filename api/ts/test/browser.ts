import { existsSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { type Browser, chromium } from "playwright-core";

const paths = [process.env["CHROMIUM"], "/usr/bin/chromium", "/usr/bin/google-chrome"];

/** Starts an installed Chromium. */
export async function launch(): Promise<Browser> {
  const executablePath = paths.find((path) => path !== undefined && existsSync(path));
  if (executablePath === undefined) throw new Error("no Chromium: apt install chromium, or set CHROMIUM to its path");
  // Chromium's sandbox does not run as root.
  return chromium.launch({ executablePath, chromiumSandbox: process.getuid?.() !== 0 });
}

const root = join(import.meta.dirname, "../..");

// The page loads the client as it was built, and its dependency as it was installed.
const page = `<!doctype html>
<title>A page of another origin</title>
<link rel="icon" href="data:,">
<script type="importmap">{"imports": {
  "@waybill/client": "/dist/src/index.js",
  "openapi-fetch": "/node_modules/openapi-fetch/dist/index.mjs"
}}</script>`;

/** A page with the client, served from an origin of its own. */
export type Site = { port: number; close: () => void };

export async function serveSite(): Promise<Site> {
  const site: Server = createServer((request, response) => {
    if (request.url === "/") {
      response.setHeader("Content-Type", "text/html").end(page);
      return;
    }
    readFile(join(root, new URL(request.url ?? "", "http://site").pathname)).then(
      (script) => response.setHeader("Content-Type", "text/javascript").end(script),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((listening) => site.listen(0, "127.0.0.1", listening));
  return { port: (site.address() as AddressInfo).port, close: () => site.close() };
}
