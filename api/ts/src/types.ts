import type { NoAnswer } from "./problem.js";
import type { components, operations } from "./schema.js";

/** A schema of the document: Schema<"Pickup">. */
export type Schema<Name extends keyof components["schemas"]> = components["schemas"][Name];

/** The id of an operation of the document: "assign-pickup". */
export type OperationId = keyof operations;

/** What an answer has in JSON, which is sent unless another form is asked for, or in the one form that there is. */
type Content<Response> = Response extends { content: infer C }
  ? C extends { "application/json": infer Json }
    ? Json
    : C[keyof C]
  : never;

type Answers<Id extends OperationId> = operations[Id]["responses"];

type Success = 200 | 201 | 204;

/** What an operation answers: undefined where it answers nothing. */
export type Value<Id extends OperationId> = [Content<Answers<Id>[keyof Answers<Id> & Success]>] extends [never]
  ? undefined
  : Content<Answers<Id>[keyof Answers<Id> & Success]>;

/** Why an operation is refused: a problem whose code is one of those that the operation declares. */
export type Refusal<Id extends OperationId> = Content<Answers<Id>[Exclude<keyof Answers<Id>, Success>]>;

/** The codes of an operation. */
export type Code<Id extends OperationId> = Refusal<Id>["code"];

/** The body of an operation in JSON. */
export type Body<Id extends OperationId> =
  NonNullable<operations[Id]["requestBody"]> extends { content: { "application/json": infer B } } ? B : never;

/** The body of an operation whose repetitions are recognized by its id: without one, the call makes it. */
export type BodyWithId<Id extends OperationId> = Omit<Body<Id>, "id"> & { id?: string };

/** The parameters of an operation in the query. The cursor of a list is kept by its Listing; a dry run is an option. */
export type Query<Id extends OperationId> = Omit<
  NonNullable<operations[Id]["parameters"]["query"]>,
  "cursor" | "dry_run"
>;

/** The body of a search. The cursor is kept by its Listing. */
export type Search<Id extends OperationId> = Omit<Body<Id>, "cursor">;

/**
 * The outcome of a call: the value, or a typed error to switch on.
 *
 *     const assigned = await waybill.pickups.assign(id, { driver_id });
 *     if (assigned.ok) show(assigned.value);
 *     else switch (assigned.error.code) { case "driver_busy": … }
 */
export type Result<Id extends OperationId> =
  | {
      ok: true;
      value: Value<Id>;
      /** The version of the value, for If-Match. */
      etag: string | undefined;
      /** Whether an earlier request of the same intent had taken effect. */
      replayed: boolean;
      /** Whether the call was only tried, and nothing was written; the value then has no etag. */
      dryRun: boolean;
    }
  | { ok: false; error: Refusal<Id> | NoAnswer };

/** An operation in the generated table. */
export type Operation = {
  /** Where it stands: waybill[tag][name]. */
  tag: string;
  name: string;
  method: "DELETE" | "GET" | "PATCH" | "POST" | "PUT";
  path: string;
  kind: "call" | "edit" | "list" | "stream";
  /** What makes a repeated request one intent: a header, an id in the body, or nothing that is sent. */
  key: "id" | "key" | "none";
  /** The parameters of the path, in its order. */
  params: readonly string[];
  body: boolean;
  query: boolean;
  /** Whether it can be tried. */
  dryRun: boolean;
};
