import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";

import { workflows } from "./arazzo.js";
import { type Server, start } from "./server.js";

const lint = join(import.meta.dirname, "../../../lint");

let server: Server;

before(async () => {
  server = await start();
});

after(() => server?.stop());

// The runner checks each answer's status, media type and body against the OpenAPI document too.
test("each workflow of the Arazzo document runs on the server, twice", async () => {
  const all = await workflows();
  assert(all.length > 1);
  const inputs = server.users.map(({ role, email }) => `${role}=${email}`);
  const [user] = server.users;
  assert(user);
  inputs.push(`tenant=${server.tenant}`, `email=${user.email}`, `password=${user.password}`);
  const command = ["respect", "../arazzo.yaml", "--server", `waybill=${server.url}`];
  for (const input of inputs) command.push("--input", input);
  for (let i = 0; i < 2; i++) {
    const ran = await promisify(execFile)(join(lint, "node_modules/.bin/redocly"), command, {
      cwd: lint, // where redocly.yaml turns telemetry off
      env: { ...process.env, NO_COLOR: "1", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" },
    }).catch((error) => assert.fail(`${error.stdout}${error.stderr}`));
    for (const { workflowId, steps } of all)
      for (const { stepId } of steps) {
        assert(ran.stdout.includes(`step ${stepId}`), `${workflowId} has not run ${stepId}`);
      }
  }
});
