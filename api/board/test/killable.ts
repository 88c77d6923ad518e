import { type ChildProcess, execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { promisify } from "node:util";

import { eventually } from "./wait.js";

/** A server of its own on a database that others serve too. */
export type Killable = {
  url: string;
  /** Ends it without a word to anybody: it runs no deferred code, and closes no connection itself. */
  kill: () => Promise<void>;
  /** Starts it again on the same port. */
  start: () => Promise<void>;
  close: () => Promise<void>;
};

const root = join(import.meta.dirname, "../../..");

/** Builds the server, and starts it on a database. */
export async function serveKillable(databaseUrl: string): Promise<Killable> {
  const folder = await mkdtemp(join(tmpdir(), "waybill-board-"));
  const program = join(folder, "waybill");
  await promisify(execFile)("go", ["build", "-o", program, "./cmd/waybill"], { cwd: root });
  let child: ChildProcess;
  const run = async (address: string): Promise<string> => {
    const readyFile = join(folder, "ready.json");
    await rm(readyFile, { force: true });
    const env = { ...process.env, DATABASE_URL: databaseUrl, WAYBILL_LOG_LEVEL: "error" };
    const args = ["dev", "--addr", address, "--ready-file", readyFile];
    child = spawn(program, args, { env, stdio: ["ignore", "ignore", "inherit"] });
    while (child.exitCode === null && child.signalCode === null) {
      try {
        return (JSON.parse(await readFile(readyFile, "utf8")) as { url: string }).url;
      } catch {
        await sleep(100); // the file is renamed into place whole
      }
    }
    throw new Error(`waybill dev ended with ${child.exitCode ?? child.signalCode}`);
  };
  const kill = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGKILL");
    await ended;
  };
  const url = await run("127.0.0.1:0");
  return {
    url,
    kill,
    // Another program may have the port for a moment, for a connection of its own.
    start: () => eventually(async () => void (await run(new URL(url).host))),
    close: async () => {
      await kill();
      await rm(folder, { recursive: true });
    },
  };
}
