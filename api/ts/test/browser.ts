import { execFile } from "node:child_process";
import { existsSync } from "node:fs";
import { cp, mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { promisify } from "node:util";

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

const run = promisify(execFile);

/** A page that was built with the packed client, served from an origin of its own. */
export type Site = {
  port: number;
  /** Runs a module of the project in Node, and returns what it prints. */
  run: (module: string) => Promise<string>;
  /** The size of the scripts of the page without React, in bytes. */
  scripts: () => Promise<number>;
  /** The scripts of a page that was built for itself, and uses createClient alone. */
  alone: () => Promise<string>;
  /** The folder of the installed package, and the paths of its files. */
  installed: { folder: string; files: string[] };
  /** Installs the package's folder instead, in a project of its own, and returns what a module there prints. */
  link: (module: string) => Promise<string>;
  close: () => Promise<void>;
};

/** What makes the package, as in a clean clone: what was built here is not in it. */
async function cleanClone(folder: string): Promise<void> {
  await mkdir(folder);
  for (const name of ["src", "package.json", "tsconfig.json", ".npmrc", "README.md", "LICENSE"]) {
    await cp(join(root, name), join(folder, name), { recursive: true });
  }
  await symlink(join(root, "node_modules"), join(folder, "node_modules")); // npm ci has been run
}

/** Packs the client, installs it in a new Vite project, builds that, and serves what was built. */
export async function serveSite(): Promise<Site> {
  const folder = await mkdtemp(join(tmpdir(), "waybill-page-"));
  const npm = async (cwd: string, ...args: string[]) => {
    const ran = await run("npm", args, { cwd }).catch((error) => {
      throw new Error(`npm ${args.join(" ")}: ${error.stdout}${error.stderr}`); // what the compiler says is in stdout
    });
    return ran.stdout;
  };
  await cp(join(root, "test/page"), folder, { recursive: true });
  await cp(join(root, ".npmrc"), join(folder, ".npmrc"));
  const clone = join(folder, "clone");
  await cleanClone(clone);
  const [packed] = JSON.parse(await npm(clone, "pack", "--json", "--pack-destination", folder));
  await npm(folder, "install", "--no-package-lock", `./${packed.filename}`);
  await npm(folder, "run", "build");

  const types: Record<string, string> = { ".html": "text/html", ".js": "text/javascript" };
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "", "http://site");
    const file = pathname === "/" ? "/index.html" : pathname;
    readFile(join(folder, "dist", file)).then(
      (text) => response.setHeader("Content-Type", types[extname(file)] ?? "text/plain").end(text),
      () => response.writeHead(404).end(),
    );
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const scripts = async () => {
    const html = await readFile(join(folder, "dist/index.html"), "utf8");
    let bytes = 0;
    for (const [, script] of html.matchAll(/(?:src|href)="(\/[^"]+\.js)"/g)) {
      bytes += (await readFile(join(folder, "dist", script!))).length;
    }
    return bytes;
  };
  const alone = async () => {
    const names = (await readdir(join(folder, "dist-alone/assets"))).filter((name) => name.endsWith(".js"));
    const texts = names.map((name) => readFile(join(folder, "dist-alone/assets", name), "utf8"));
    return (await Promise.all(texts)).join("\n");
  };
  const link = async (module: string) => {
    await rm(join(clone, "dist"), { recursive: true });
    const project = join(folder, "linked");
    await mkdir(project);
    await writeFile(join(project, "package.json"), JSON.stringify({ name: "linked", private: true, type: "module" }));
    await npm(project, "install", "--no-package-lock", "../clone");
    return (await run("node", ["--input-type=module", "--eval", module], { cwd: project })).stdout;
  };
  const installed = {
    folder: join(folder, "node_modules/@waybill/client"),
    files: packed.files.map(({ path }: { path: string }) => path),
  };
  const runModule = async (module: string) => (await run("node", [module], { cwd: folder })).stdout;
  const close = async () => {
    server.close();
    await rm(folder, { recursive: true });
  };
  return { port: (server.address() as AddressInfo).port, run: runModule, scripts, alone, installed, link, close };
}
