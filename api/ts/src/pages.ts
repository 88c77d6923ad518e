import { type NoAnswer, Refused } from "./problem.js";
import type { OperationId, Refusal, Value } from "./types.js";
import type { AnyResult } from "./waybill.js";

type Item<Id extends OperationId> = Value<Id> extends { items: (infer T)[] } ? T : never;

/** One page of a list. */
export type Page<Id extends OperationId> =
  | {
      ok: true;
      value: {
        items: Item<Id>[];
        /** The cursor of the next page; undefined on the last. */
        next: string | undefined;
      };
    }
  | { ok: false; error: Refusal<Id> | NoAnswer };

type Where = { cursor?: string };

/**
 * A list, read a page at a time as its items are used:
 *
 *     for await (const pickup of waybill.pickups.list({ status: "SUBMITTED" })) {
 *       if (enough(pickup)) break; // no further page is read
 *     }
 *
 * An error while iterating is thrown as Refused; page returns it.
 */
export class Listing<Id extends OperationId> implements AsyncIterable<Item<Id>> {
  constructor(private readonly read: (where: Where, signal?: AbortSignal) => Promise<AnyResult>) {}

  /** Reads one page: the first, or the one that another page names as next. */
  async page(cursor?: string, signal?: AbortSignal): Promise<Page<Id>> {
    const result = await this.read(cursor === undefined ? {} : { cursor }, signal);
    if (!result.ok) return result as Page<Id>;
    const { items, next_cursor } = result.value as { items: Item<Id>[]; next_cursor?: string | null };
    return { ok: true, value: { items, next: next_cursor ?? undefined } };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Item<Id>, void, undefined> {
    let cursor: string | undefined;
    do {
      const page = await this.page(cursor);
      if (!page.ok) throw new Refused(page.error);
      yield* page.value.items;
      cursor = page.value.next;
    } while (cursor !== undefined);
  }
}
