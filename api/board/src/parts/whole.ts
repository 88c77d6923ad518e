import type { UseInfiniteQueryResult } from "@tanstack/react-query";
import { useEffect } from "react";

type List = Pick<UseInfiniteQueryResult, "isPending" | "isFetching" | "isError" | "hasNextPage" | "fetchNextPage">;

/**
 * Reads a list to its end, and returns whether that is reached: for what is wrong if a row is missing. A page can be
 * empty although the list goes on.
 */
export function useWhole({ isPending, isFetching, isError, hasNextPage, fetchNextPage }: List): boolean {
  const goOn = hasNextPage && !isFetching && !isError;
  useEffect(() => {
    if (goOn) void fetchNextPage({ cancelRefetch: false }); // another component may read it on just now
  }, [goOn]);
  return !isPending && !hasNextPage;
}
