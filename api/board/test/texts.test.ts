import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import ts from "typescript";

// All texts are in texts.ts: none is anywhere else, and none is there that nothing shows.

const root = join(import.meta.dirname, "..");

async function sources(): Promise<Map<string, ts.SourceFile>> {
  const files = new Map<string, ts.SourceFile>();
  for (const path of await readdir(join(root, "src"), { recursive: true })) {
    if (!/\.tsx?$/.test(path)) continue;
    const name = join("src", path);
    const text = await readFile(join(root, name), "utf8");
    files.set(name, ts.createSourceFile(name, text, ts.ScriptTarget.Latest, true, ts.ScriptKind.TSX));
  }
  assert.ok(files.size > 30, `${files.size} sources`);
  return files;
}

function walk(node: ts.Node, visit: (node: ts.Node) => void): void {
  visit(node);
  node.forEachChild((child) => walk(child, visit));
}

/** Attributes that somebody reads or hears. */
const read = new Set([
  "label",
  "aria-label",
  "title",
  "alt",
  "placeholder",
  "hint",
  "empty",
  "name",
  "text",
  "button",
]);

/** Returns the words that a source shows and that are none of texts.ts. */
function literalsOf(file: ts.SourceFile): string[] {
  const found: string[] = [];
  const say = (node: ts.Node, text: string) => {
    const { line } = file.getLineAndCharacterOfPosition(node.getStart());
    if (/\p{L}{2}/u.test(text)) found.push(`${file.fileName}:${line + 1}: ${text.trim()}`);
  };
  walk(file, (node) => {
    if (ts.isJsxText(node)) say(node, node.text);
    if (!ts.isStringLiteralLike(node) && !ts.isTemplateExpression(node)) return;
    const shown = ts.isJsxExpression(node.parent) ? node.parent.parent : node.parent;
    const attribute = ts.isJsxAttribute(shown) ? shown.name.getText() : undefined;
    const isShown = ts.isJsxElement(shown) || ts.isJsxFragment(shown) || (attribute && read.has(attribute));
    // The name of a field is for password managers.
    if (isShown && attribute !== "name") say(node, node.getText());
  });
  return found;
}

/** Returns the texts by their path in the object, and of those that are looked up by a value, the object's. */
function pathsOf(file: ts.SourceFile): string[] {
  const paths: string[] = [];
  const add = (object: ts.Expression, path: string[]): void => {
    while (ts.isAsExpression(object) || ts.isSatisfiesExpression(object)) object = object.expression;
    if (ts.isCallExpression(object)) return add(object.arguments[0]!, path);
    if (!ts.isObjectLiteralExpression(object)) return void paths.push(path.join("."));
    for (const member of object.properties) {
      if (ts.isPropertyAssignment(member)) add(member.initializer, [...path, member.name.getText()]);
    }
  };
  walk(file, (node) => {
    if (ts.isVariableDeclaration(node) && node.name.getText() === "texts") add(node.initializer!, []);
  });
  return paths;
}

/** Returns every path that the sources read, with the names that parts of texts have there. */
function readIn(files: Iterable<ts.SourceFile>): Set<string> {
  const found = new Set<string>();
  for (const file of files) {
    const names = new Map([["texts", ""]]);
    /** The path of an expression: a[x] reads all of a. */
    const pathOf = (node: ts.Node): string | undefined => {
      if (ts.isIdentifier(node)) return names.get(node.text);
      if (ts.isPropertyAccessExpression(node)) {
        const path = pathOf(node.expression);
        return path === undefined ? undefined : path + (path && ".") + node.name.text;
      }
      if (ts.isParenthesizedExpression(node)) return pathOf(node.expression);
      return undefined;
    };
    walk(file, (node) => {
      if (ts.isVariableDeclaration(node) && node.initializer) {
        const path = pathOf(node.initializer);
        if (path === undefined) return;
        if (ts.isIdentifier(node.name)) names.set(node.name.text, path);
        if (ts.isObjectBindingPattern(node.name)) {
          for (const { name, propertyName } of node.name.elements) {
            const member = path + (path && ".") + (propertyName ?? name).getText();
            names.set(name.getText(), member);
            found.add(member);
          }
        }
      } else if (ts.isElementAccessExpression(node)) {
        const path = pathOf(node.expression);
        if (path !== undefined) found.add(`${path}.*`);
      } else if (ts.isPropertyAccessExpression(node)) {
        const path = pathOf(node);
        if (path !== undefined) found.add(path);
      } else if (ts.isIdentifier(node) && names.has(node.text) && isWhole(node)) {
        found.add(`${names.get(node.text)}.*`);
      }
    });
  }
  return found;
}

/** Whether an object is handed on as it is: all of it may be read. */
function isWhole(node: ts.Identifier): boolean {
  const { parent } = node;
  return ts.isCallExpression(parent) || (ts.isBinaryExpression(parent) && parent.right === node);
}

test("no text stands outside of the file of texts", async () => {
  const found = [...(await sources()).values()].flatMap(literalsOf);
  assert.deepEqual(found, []);
  assert.doesNotMatch(await readFile(join(root, "index.html"), "utf8"), /<noscript>(?!%)/);
});

test("each text is shown somewhere", async () => {
  const files = await sources();
  const own = files.get("src/texts.ts")!;
  files.delete("src/texts.ts");
  const config = await readFile(join(root, "vite.config.ts"), "utf8");
  const all = [...files.values(), ts.createSourceFile("vite.config.ts", config, ts.ScriptTarget.Latest, true)];
  const used = readIn(all);
  const paths = pathsOf(own);
  assert.ok(paths.length > 300, `${paths.length} texts`);
  const isUsed = (path: string) => {
    const parts = path.split(".");
    // Itself, or a part of the path above it that is looked up by a value.
    return used.has(path) || parts.some((_, i) => used.has([...parts.slice(0, i), "*"].join(".")));
  };
  assert.deepEqual(
    paths.filter((path) => !isUsed(path)),
    [],
  );
});
