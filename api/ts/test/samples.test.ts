import assert from "node:assert/strict";
import { mkdir, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import ts from "typescript";
import { parse } from "yaml";

const root = join(import.meta.dirname, "../..");

type Described = { operationId: string; "x-codeSamples"?: { lang: string; source: string }[] };

// The samples are made from the document, by other code than the client.
test("the samples of code compile", async () => {
  const document = parse(await readFile(join(root, "../openapi.yaml"), "utf8"));
  const folder = join(root, "dist/samples"); // from where the client's dependencies are found
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  const files: string[] = [];
  for (const item of Object.values(document.paths)) {
    for (const op of Object.values(item as Record<string, Described>)) {
      const sample = op["x-codeSamples"]?.find(({ lang }) => lang === "TypeScript");
      if (!sample) continue;
      const file = join(folder, `${op.operationId}.ts`);
      await writeFile(file, `${sample.source}\ndeclare const token: string;\n`);
      files.push(file);
    }
  }
  assert(files.length > 70, `${files.length} samples`);
  const program = ts.createProgram(files, {
    strict: true,
    noEmit: true,
    noUnusedLocals: true,
    exactOptionalPropertyTypes: true,
    target: ts.ScriptTarget.ES2022,
    module: ts.ModuleKind.NodeNext,
    moduleResolution: ts.ModuleResolutionKind.NodeNext,
    types: [],
    lib: ["lib.es2022.d.ts", "lib.dom.d.ts", "lib.dom.iterable.d.ts"],
    paths: { "@waybill/client": [join(root, "src/index.ts")] },
    skipLibCheck: true,
  });
  const problems = ts.getPreEmitDiagnostics(program).map((d) => {
    const at = d.file && `${d.file.fileName.slice(folder.length + 1)}: `;
    return `${at ?? ""}${ts.flattenDiagnosticMessageText(d.messageText, "\n")}`;
  });
  assert.deepEqual(problems, []);
});
