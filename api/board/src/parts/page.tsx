import type { UseInfiniteQueryResult, UseQueryResult } from "@tanstack/react-query";
import { Refused } from "@waybill/client";
import { type ReactNode, useEffect, useRef } from "react";
import { Button } from "react-aria-components";

import { hasNavigated } from "../router";
import { texts } from "../texts";
import { reasonOf } from "./notices";

/**
 * A page's heading, which is also the title of the window. No title has a word of a patient. Where a page was opened
 * from another one, it has the focus, unless a field of the page has it: a screen reader says where one is.
 */
export function Heading({ children, title, actions }: { children: ReactNode; title: string; actions?: ReactNode }) {
  const heading = useRef<HTMLHeadingElement>(null);
  useEffect(() => {
    document.title = `${title} · ${texts.product}`;
    if (hasNavigated() && !document.activeElement?.closest("main, [role=dialog]")) heading.current?.focus();
  }, [title]);
  return (
    <header className="heading">
      <h1 ref={heading} tabIndex={-1}>
        {children}
      </h1>
      {actions && <div className="actions">{actions}</div>}
    </header>
  );
}

/** Whether there is nothing to read: no such row, or not for this viewer, or what was asked for is no id. */
export function isGone(error: unknown): boolean {
  if (!(error instanceof Refused)) return false;
  const problem = error.problem as { status?: number };
  return problem.status === 404 || problem.status === 422;
}

type Read = Pick<UseQueryResult, "isPending" | "error"> & { refetch: () => unknown };

/** What stands in the place of a list or a value: that it is being read, why it could not be, or that it is empty. */
export function Instead({
  of,
  empty,
  skeleton = 3,
}: {
  of: Read & { data?: unknown };
  empty?: ReactNode;
  skeleton?: number;
}) {
  if (of.error && of.data === undefined) {
    return (
      <div className="instead" role="alert">
        <p>
          {texts.list.failed} {reasonOf(of.error)}
        </p>
        <Button onPress={() => void of.refetch()}>{texts.list.retry}</Button>
      </div>
    );
  }
  if (of.isPending) {
    return (
      <div className="skeleton" aria-busy="true">
        <span className="visually-hidden">{texts.list.loading}</span>
        {Array.from({ length: skeleton }, (_, i) => (
          <i key={i} />
        ))}
      </div>
    );
  }
  if (Array.isArray(of.data) && of.data.length === 0) return <p className="empty">{empty ?? texts.list.empty}</p>;
  return null;
}

/** A button for the next page of a list, where there is one. */
export function More({
  of,
}: {
  of: Pick<UseInfiniteQueryResult, "hasNextPage" | "isFetchingNextPage" | "fetchNextPage">;
}) {
  if (!of.hasNextPage) return null;
  return (
    <Button className="more" isPending={of.isFetchingNextPage} onPress={() => void of.fetchNextPage()}>
      {texts.list.more}
    </Button>
  );
}
