import { useEffect, useMemo } from "react";
import {
  Button,
  Collection,
  GridList,
  GridListItem,
  GridListLoadMoreItem,
  ListLayout,
  useDragAndDrop,
  Virtualizer,
} from "react-aria-components";
import { shortId } from "../format";
import { Instead } from "../parts/page";
import { PickupCard } from "../pickup/card";
import { useRules } from "../pickup/transitions";
import { texts } from "../texts";
import type { Column } from "./columns";

/** What a dragged card carries: the id of its pickup. */
export const pickupType = "application/x-waybill-pickup";

type Props = {
  column: Column;
  count: number | undefined;
  chosen: string | undefined;
  choose: (id?: string) => void;
};

/** A column: the pickups of one status. Only the cards in sight are in the page, however many there are. */
export function ColumnList({ column: { status, rows, list }, count, chosen, choose }: Props) {
  const mayAssign = useRules().some((r) => r.transition === "assign" && r.from_statuses.includes(status));
  const { dragAndDropHooks } = useDragAndDrop({
    getItems: (keys) => [...keys].map((key) => ({ [pickupType]: String(key), "text/plain": shortId(String(key)) })),
    getAllowedDropOperations: () => ["move"],
  });
  useFirstRows(rows, list);
  // Of thousands, only the cards of pickups that have changed are made again, and none when something else has.
  const cards = useMemo(
    () => (
      <Collection items={rows} dependencies={[mayAssign]}>
        {(pickup) => (
          <GridListItem id={pickup.id} textValue={textOf(pickup)} className="card pickup">
            <PickupCard pickup={pickup} />
            {mayAssign && (
              <Button slot="drag" className="grip" aria-label={texts.dispatch.drag(textOf(pickup))}>
                ⠿
              </Button>
            )}
          </GridListItem>
        )}
      </Collection>
    ),
    [rows, mayAssign],
  );
  // What is not read yet is not none.
  const shown = count ?? (list.hasNextPage ? `${rows.length}+` : list.isPending ? "" : rows.length);
  const label = texts.dispatch.column(texts.status[status], String(shown));
  return (
    <section className={`column s-${status}`} data-status={status}>
      <h2>
        {texts.status[status]} <output>{shown}</output>
      </h2>
      {rows.length === 0 ? (
        <Instead
          of={{ ...list, data: list.data && [], isPending: list.isPending || list.hasNextPage }}
          empty={status === "SUBMITTED" ? texts.dispatch.empty.SUBMITTED : texts.dispatch.empty.others}
        />
      ) : (
        <Virtualizer layout={ListLayout} layoutOptions={{ estimatedRowHeight: 112, gap: 8, padding: 2 }}>
          <GridList
            key={String(mayAssign)} // a list has its hooks for dragging from its first render on
            aria-label={label}
            className="cards"
            selectionMode="single"
            selectionBehavior="replace"
            selectedKeys={chosen === undefined ? [] : [chosen]}
            onSelectionChange={(keys) => choose(keys === "all" ? undefined : ([...keys][0] as string | undefined))}
            {...(mayAssign && { dragAndDropHooks })}
          >
            {cards}
            {list.hasNextPage && (
              <GridListLoadMoreItem
                isLoading={list.isFetchingNextPage}
                onLoadMore={() => void (list.isFetchingNextPage || list.fetchNextPage())}
              >
                {texts.list.loading}
              </GridListLoadMoreItem>
            )}
          </GridList>
        </Virtualizer>
      )}
    </section>
  );
}

/** Reads on while no page has had a row: with filters a page can be empty although the list goes on. */
function useFirstRows(rows: unknown[], { hasNextPage, isFetching, isError, fetchNextPage }: Column["list"]): void {
  const goOn = rows.length === 0 && hasNextPage && !isFetching && !isError;
  useEffect(() => {
    if (goOn) void fetchNextPage();
  }, [goOn]);
}

function textOf(pickup: { id: string; pickup_address?: string }): string {
  return `${shortId(pickup.id)} ${pickup.pickup_address ?? ""}`;
}
