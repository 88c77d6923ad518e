export { createClient, type Client, type Options } from "./client.js";
export { type CallOptions, type KeyedOptions, type TransitionOptions, type WriteOptions } from "./attempts.js";
export { type Conflict, type EditOptions, type EditResult, etagOf } from "./edits.js";
export { type Listing, type Page } from "./pages.js";
export { Refused, unwrap, type NoAnswer, type Problem } from "./problem.js";
export { follow, type Message, type Stream, type StreamOptions, type StreamState } from "./stream.js";
export type { Body, BodyWithId, Code, OperationId, Query, Refusal, Result, Schema, Value } from "./types.js";
export { createWaybill, type Waybill, type WaybillOptions } from "./waybill.js";
export type { components, operations, paths } from "./schema.js";
