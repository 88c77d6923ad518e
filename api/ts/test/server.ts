import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** What "waybill dev" writes when it serves. */
export type Ready = {
  url: string;
  database_url: string; // as its owner
  tenant: string;
  users: { email: string; password: string; role: string; token: string }[];
};

export type Server = Ready & { stop: () => Promise<void> };

/**
 * Starts the real server on a database of its own, with the demo tenant and some settings. What it logs goes to where
 * the tests' does, or to a function.
 */
export async function start(settings: NodeJS.ProcessEnv = {}, onLog?: (text: string) => void): Promise<Server> {
  const folder = await mkdtemp(join(tmpdir(), "waybill-ts-"));
  await chmod(folder, 0o755); // PostgreSQL may run as another user
  const readyFile = join(folder, "ready.json");
  const env: NodeJS.ProcessEnv = { ...process.env, WAYBILL_LOG_LEVEL: "warn", ...settings };
  delete env["DATABASE_URL"]; // the demo tenant is not for that one
  const child = spawn(
    "go",
    [
      "run",
      "./cmd/waybill",
      "dev",
      "--addr",
      "127.0.0.1:0",
      "--data",
      join(folder, "data"),
      "--ready-file",
      readyFile,
    ],
    // The group gets the signal: "go run" does not pass it on.
    {
      cwd: join(import.meta.dirname, "../../../.."),
      env,
      detached: true,
      stdio: ["ignore", "ignore", onLog ? "pipe" : "inherit"],
    },
  );
  if (onLog) child.stderr?.setEncoding("utf8").on("data", onLog);
  const stop = async () => {
    if (!hasEnded(child) && child.pid !== undefined) {
      const ended = once(child, "exit");
      process.kill(-child.pid, "SIGINT");
      await ended;
    }
    await rm(folder, { recursive: true });
  };
  try {
    return { ...(await ready(readyFile, child)), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Whether it is over, by itself or by a signal, such as the system's when there is no memory left. */
function hasEnded({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode !== null || signalCode !== null;
}

async function ready(file: string, child: ChildProcess): Promise<Ready> {
  while (!hasEnded(child)) {
    try {
      return JSON.parse(await readFile(file, "utf8"));
    } catch {
      await sleep(100); // the file is renamed into place whole
    }
  }
  throw new Error(`waybill dev ended with ${child.exitCode ?? child.signalCode}`);
}
