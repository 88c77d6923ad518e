// Writes src/operations.ts from the OpenAPI document: a function for each operation, by its tag, and the
// table by which src/waybill.ts makes them. Names, parameters and what may be retried are the document's.
import { readFile, writeFile } from "node:fs/promises";

import { parse } from "yaml";

const document = parse(await readFile(new URL("../openapi.yaml", import.meta.url), "utf8"));

const resolve = (part) =>
  part?.$ref ? resolve(part.$ref.slice(2).split("/").reduce((at, name) => at[name], document)) : part;

const camel = (words) => words.map((w, i) => (i ? w[0].toUpperCase() + w.slice(1) : w)).join("");

const singular = (noun) => noun.replace(/ies$/, "y").replace(/s$/, "");

/** list-pickup-events of the tag pickups is pickups.listEvents: the tag's noun is left out behind the verb. */
function nameOf(id, tag) {
  const [verb, ...rest] = id.split("-");
  return camel([verb, ...([tag, singular(tag)].includes(rest[0]) ? rest.slice(1) : rest)]);
}

/** What a retry relies on: see src/attempts.ts. */
function keyOf(method, headers, body) {
  if (headers.some((p) => p.name === "Idempotency-Key")) return "key";
  if (method === "post" && body?.properties?.id) return "id";
  return "none";
}

function kindOf(headers, answer, items) {
  if (answer["text/event-stream"]) return "stream";
  if (items) return "list";
  return headers.some((p) => p.name === "If-Match" && p.required) ? "edit" : "call";
}

const operations = [];
for (const [path, item] of Object.entries(document.paths)) {
  for (const [method, op] of Object.entries(item)) {
    const answer = op.responses["200"]?.content ?? op.responses["201"]?.content ?? {};
    if (answer["text/html"]) continue; // a page for people
    const tag = op.tags[0];
    const parameters = op.parameters ?? [];
    const of = (place) => parameters.filter((p) => p.in === place);
    const body = resolve(op.requestBody?.content["application/json"]?.schema);
    const items = resolve(answer["application/json"]?.schema)?.properties?.items;
    operations.push({
      id: op.operationId,
      tag,
      name: nameOf(op.operationId, tag),
      about: op.summary,
      method: method.toUpperCase(),
      path,
      kind: kindOf(of("header"), answer, items && method === "get"),
      key: keyOf(method, of("header"), body),
      comparable: of("header").some((p) => p.name === "If-Match" && !p.required),
      params: of("path").map((p) => p.name),
      query: of("query"),
      body: op.requestBody && (op.requestBody.required ? "required" : "optional"),
    });
  }
}

// create-pickups beside create-pickup is pickups.createMany.
for (const op of operations) {
  const same = operations.filter((o) => o.tag === op.tag && o.name === op.name);
  for (const o of same.slice(1)) o.name += "Many";
  if (same.length > 2) throw new Error(`${op.tag}.${op.name} is the name of ${same.length} operations`);
}

function signature(op) {
  const id = `"${op.id}"`;
  const path = op.params.map((p) => `${camel(p.split("_"))}: string`);
  const query = op.query.length > 0 ? [`query${op.query.some((p) => p.required) ? "" : "?"}: Query<${id}>`] : [];
  switch (op.kind) {
    case "stream":
      return `(options?: StreamOptions): Stream`;
    case "list":
      return `(${[...path, ...query, "options?: CallOptions"].join(", ")}): Listing<${id}>`;
    case "edit":
      return `(row: Value<${id}>, change: Body<${id}>, options?: EditOptions<${id}>): Promise<EditResult<${id}>>`;
    default: {
      const body = op.body ? [`body${op.body === "optional" ? "?" : ""}: ${op.key === "id" ? "BodyWithId" : "Body"}<${id}>`] : [];
      const options = op.comparable ? "TransitionOptions" : op.key === "key" ? "KeyedOptions" : "CallOptions";
      return `(${[...path, ...body, ...query, `options?: ${options}`].join(", ")}): Promise<Result<${id}>>`;
    }
  }
}

const tags = [...new Set(operations.map((op) => op.tag))];
const lines = [
  "// Generated from the OpenAPI document by generate.mjs. Do not edit.",
  'import type { CallOptions, KeyedOptions, TransitionOptions } from "./attempts.js";',
  'import type { EditOptions, EditResult } from "./edits.js";',
  'import type { Listing } from "./pages.js";',
  'import type { Stream, StreamOptions } from "./stream.js";',
  'import type { Body, BodyWithId, Operation, Query, Result, Value } from "./types.js";',
  "",
  "/** A function for each operation, by its tag. */",
  "export interface Operations {",
];
for (const tag of tags) {
  lines.push(`  ${tag}: {`);
  for (const op of operations.filter((o) => o.tag === tag)) {
    lines.push(`    /** ${op.about}: ${op.id}. */`, `    ${op.name}${signature(op)};`);
  }
  lines.push("  };");
}
lines.push("}", "", "export const operations = {");
for (const op of operations) {
  const { tag, name, method, path, kind, key, params, body } = op;
  const row = { tag, name, method, path, kind, key, params, body: body !== undefined, query: op.query.length > 0 };
  lines.push(`  "${op.id}": ${JSON.stringify(row)},`);
}
lines.push("} as const satisfies Record<string, Operation>;", "");
await writeFile(new URL("src/operations.ts", import.meta.url), lines.join("\n"));
