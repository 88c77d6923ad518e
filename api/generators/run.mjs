// Tries each generator on the document: generate, compile, and walk a pickup from draft to canceled on a real
// server. Anything that goes wrong ends it with what the generator or the compiler said.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

const here = import.meta.dirname;
const root = join(here, "../..");
const document = "../openapi.yaml";
const document30 = "out/openapi-3.0.json";
const withoutStreams = "out/openapi-3.0-without-streams.json";

// What ogen says of every document: Go writes header names its own way, a status is not compared with the problem's
// own, a date's maxLength is implied by its type, and errors differ by operation.
const harmless = [
  /Header name is not canonical/,
  /Ensuring "status" matching HTTP status code/,
  /String validator cannot be applied to generated type.*"format": "date"/,
  /Convenient errors are not available/,
  /^[\w.: ]*INFO\b/,
];

// hey-api copies its runtime into what it generates, which does not compile with exactOptionalPropertyTypes.
const ownFault = /^out\/hey-api\/(client|core)\/[\w.]+\(\d+,\d+\): error TS(2379|2375):/;

const generators = {
  "openapi-typescript": ["openapi-typescript", document, "--output", "out/openapi-typescript.ts"],
  "openapi-typescript --enum": ["openapi-typescript", document, "--enum", "--output", "out/openapi-typescript-enum.ts"],
  "hey-api": ["openapi-ts"],
  orval: ["orval", "--input", document, "--output", "out/orval.ts", "--client", "fetch"],
  "swagger-typescript-api": ["swagger-typescript-api", "generate", "--path", document, "--output", "out", "--name",
    "swagger-typescript-api.ts"],
  ogen: ["go", "tool", "ogen", "--config", "ogen.yaml", "--target", "out/ogen", "--package", "ogen",
    withoutStreams],
  "oapi-codegen": ["go", "tool", "-modfile=../../cmd/tools/oapi-codegen/go.mod", "oapi-codegen", "-package",
    "oapicodegen", "-generate", "types,client", "-o", "out/oapi-codegen/client.go", document30],
};
const walks = {
  "openapi-typescript": ["node", "out/js/walks/openapi-typescript.js"],
  "openapi-typescript --enum": ["node", "out/js/walks/openapi-typescript-enum.js"],
  "hey-api": ["node", "out/js/walks/hey-api.js"],
  orval: ["node", "out/js/walks/orval.js"],
  "swagger-typescript-api": ["node", "out/js/walks/swagger-typescript-api.js"],
  ogen: ["out/bin/ogen"],
  "oapi-codegen": ["out/bin/oapi-codegen"],
};

/** Runs a command to its end, and returns its exit code and what it said. */
async function run([command, ...args], options = {}) {
  const env = { ...process.env, NO_COLOR: "1", FORCE_COLOR: "0", ...options.env };
  env.PATH = `${join(here, "node_modules/.bin")}:${env.PATH}`;
  const child = spawn(command, args, { cwd: options.cwd ?? here, env, stdio: ["ignore", "pipe", "pipe"] });
  const said = { stdout: "", all: "" };
  child.stdout.on("data", (text) => (said.stdout += text, said.all += text));
  child.stderr.on("data", (text) => (said.all += text));
  const [code] = await once(child, "close");
  return { code, ...said };
}

async function must(what, command, options) {
  const { code, stdout, all } = await run(command, options);
  if (code !== 0) throw new Error(`${what}: ended with ${code}\n${all}`);
  return { stdout, all };
}

async function generate([name, command]) {
  const { all } = await must(name, command);
  const complaints = all.split("\n").filter((line) => /\b(warn|warning|error|deprecated)\b|⚠|✖|❌/i.test(line))
    .filter((line) => !harmless.some((one) => one.test(line)));
  if (complaints.length > 0) throw new Error(`${name}: complains\n${complaints.join("\n")}`);
  console.log(`${name}: generated`);
}

/** Writes the document with streams of bytes for streams of events: ogen's code for those does not compile. */
async function leaveOutStreams() {
  const whole = JSON.parse(await readFile(join(here, document30), "utf8"));
  for (const { responses } of Object.values(whole.paths).flatMap((path) => Object.values(path))) {
    for (const { content } of Object.values(responses ?? {})) {
      if (!content?.["text/event-stream"]) continue;
      delete content["text/event-stream"];
      content["application/octet-stream"] = { schema: { type: "string", format: "binary" } };
    }
  }
  await writeFile(join(here, withoutStreams), JSON.stringify(whole, null, 2));
}

/** Compiles all of TypeScript, strictly; hey-api's own runtime is the one exception. */
async function compileTypeScript() {
  const { code, all } = await run(["tsc", "--project", "tsconfig.json"]);
  const errors = all.split("\n").filter((line) => /error TS\d+/.test(line) && !ownFault.test(line));
  if (errors.length > 0) throw new Error(`tsc:\n${errors.join("\n")}`);
  if (code !== 0 && !all.split("\n").some((line) => ownFault.test(line))) throw new Error(`tsc: ${code}\n${all}`);
}

async function compile() {
  await Promise.all([
    compileTypeScript(),
    must("go build", ["go", "build", "-o", "out/bin/", "./walks/ogen", "./walks/oapi-codegen"]),
  ]);
  await must("go vet", ["go", "vet", "./walks/..."]);
  console.log("all: compiled");
}

/** Starts the real server on a database of its own, with the demo tenant. */
async function serve() {
  const folder = await mkdtemp(join(tmpdir(), "waybill-generators-"));
  await chmod(folder, 0o755); // PostgreSQL may run as another user
  const file = join(folder, "ready.json");
  const env = { ...process.env, WAYBILL_LOG_LEVEL: "warn" };
  delete env.DATABASE_URL; // the demo tenant is not for that one
  const args = ["--addr", "127.0.0.1:0", "--data", join(folder, "data"), "--ready-file", file];
  const child = spawn(join(here, "out/bin/waybill"), ["dev", ...args], { env, stdio: ["ignore", "ignore", "inherit"] });
  const stop = async () => {
    if (child.exitCode === null) {
      const ended = once(child, "exit");
      child.kill("SIGINT");
      await ended;
    }
    await rm(folder, { recursive: true });
  };
  while (child.exitCode === null) {
    const ready = await readFile(file, "utf8").catch(() => sleep(100)); // it is renamed into place whole
    if (ready) return { ...JSON.parse(ready), stop };
  }
  await stop();
  throw new Error(`waybill dev ended with ${child.exitCode}`);
}

/** Returns what every walk is given: see walks/given.ts. */
async function given({ url, users }) {
  const tokenOf = (role) => users.find((user) => user.role === role).token;
  const first = async (path) => {
    const answer = await fetch(url + path, { headers: { Authorization: `Bearer ${tokenOf("admin")}` } });
    return (await answer.json()).items[0].id;
  };
  const { paths } = JSON.parse(await readFile(join(here, document30), "utf8"));
  const conflict = paths["/v1/pickups/{pickup_id}/submit"].post.responses["409"].content["application/problem+json"];
  return {
    url,
    token: tokenOf("dispatcher"),
    pickup: {
      facility_id: await first("/v1/facilities"),
      account_id: await first("/v1/accounts"),
      price_cents: 3000,
      pickup_address: "2401 Mission St",
      dropoff_address: "1 Lab Way",
    },
    codes: conflict.schema.properties.code.enum,
  };
}

async function walk() {
  const server = await serve();
  try {
    const env = { WALK: JSON.stringify(await given(server)) };
    for (const [name, command] of Object.entries(walks)) {
      await must(`${name}: the walk`, command, { env });
      console.log(`${name}: walked`);
    }
  } finally {
    await server.stop();
  }
}

await rm(join(here, "out"), { recursive: true, force: true });
for (const folder of ["out/ogen", "out/oapi-codegen"]) await mkdir(join(here, folder), { recursive: true });
await must("waybill", ["go", "build", "-o", "api/generators/out/bin/", "./cmd/waybill"], { cwd: root });
await must("3.0", ["sh", "-c", `out/bin/waybill openapi -format json-3.0 > ${document30}`]);
await leaveOutStreams();
const waiting = Object.entries(generators);
await Promise.all([1, 2].map(async () => {
  for (let next = waiting.shift(); next; next = waiting.shift()) await generate(next);
}));
await compile();
await walk();
