import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { parse } from "yaml";

import { operations } from "../src/operations.js";

const file = join(import.meta.dirname, "../../../arazzo.yaml");

type Written = { stepId: string; operationId?: string; workflowId?: string; successCriteria?: { condition: string }[] };

type Workflow = { workflowId: string; steps: Written[] };

/** A step of a workflow: its operation, the status of its answer, and that of the pickup where the step asks for it. */
export type Step = { operation: string; status: number; pickup?: string };

/** Returns the workflows of the Arazzo document. */
export async function workflows(): Promise<Workflow[]> {
  return parse(await readFile(file, "utf8")).workflows;
}

/** Returns the steps of a workflow, those of the workflows that it uses included. */
export async function stepsOf(name: string): Promise<Step[]> {
  const all = await workflows();
  const read = (name: string): Step[] => {
    const workflow = all.find(({ workflowId }) => workflowId === name);
    assert(workflow, `there is no workflow ${name}`);
    return workflow.steps.flatMap((step) => (step.workflowId ? read(step.workflowId) : [stepOf(step)]));
  };
  return read(name);
}

function stepOf({ stepId, operationId, successCriteria = [] }: Written): Step {
  const find = (form: RegExp) => successCriteria.map(({ condition }) => form.exec(condition)?.[1]).find(Boolean);
  const status = find(/^\$statusCode == (\d+)$/);
  assert(operationId && status, `step ${stepId} has no operation, or expects no status`);
  const pickup = find(/^\$response\.body#\/status == '([A-Z]+)'$/);
  return { operation: operationId, status: Number(status), ...(pickup && { pickup }) };
}

/** Returns the id of the operation that a request asks for, of several the most literal; undefined for none. */
export function operationOf(method: string, url: string): string | undefined {
  const path = new URL(url).pathname;
  const fits = Object.entries(operations).filter(
    ([, operation]) =>
      operation.method === method && new RegExp(`^${operation.path.replaceAll(/\{[^}]+\}/g, "[^/]+")}$`).test(path),
  );
  return fits.sort(([, a], [, b]) => a.params.length - b.params.length)[0]?.[0];
}
