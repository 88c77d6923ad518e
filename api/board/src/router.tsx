import { type ReactNode, useMemo, useSyncExternalStore } from "react";
import { Link as AriaLink } from "react-aria-components";

// The address is the only state that outlives a reload: what is open, and the filters. It has ids, never a name
// or another word of a patient.

const base = "/board";

export type Query = Record<string, string | undefined>;

let opened = false;

/** Returns whether another address was opened since the page was loaded. */
export function hasNavigated(): boolean {
  return opened;
}

addEventListener("popstate", () => (opened = true));

function subscribe(changed: () => void): () => void {
  addEventListener("popstate", changed);
  return () => removeEventListener("popstate", changed);
}

/** Returns the parts of the path below /board, and the query. */
export function useAddress(): { path: string[]; query: URLSearchParams } {
  const href = useSyncExternalStore(subscribe, () => location.pathname + location.search);
  return useMemo(() => {
    const url = new URL(href, location.origin);
    const path = url.pathname.slice(base.length).split("/").filter(Boolean).map(decodeURIComponent);
    return { path, query: url.searchParams };
  }, [href]);
}

/** Returns the address of a path below /board. */
export function addressOf(path: string[], query: Query = {}): string {
  const search = new URLSearchParams();
  for (const [name, value] of Object.entries(query)) if (value) search.set(name, value);
  const text = search.toString();
  return [base, ...path.map(encodeURIComponent)].join("/") + (text && `?${text}`);
}

/** Opens an address. replace: one step back leads to what was before this page, not to its former filters. */
export function open(path: string[], query: Query = {}, { replace = false } = {}): void {
  const address = addressOf(path, query);
  if (replace) history.replaceState(null, "", address);
  else history.pushState(null, "", address);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** Changes some parameters of the query, and keeps the page. */
export function useQueryParameters(): [URLSearchParams, (change: Query) => void] {
  const { path, query } = useAddress();
  const change = (change: Query) => open(path, { ...Object.fromEntries(query), ...change }, { replace: true });
  return [query, change];
}

type LinkProps = { to: string[]; query?: Query; className?: string; current?: boolean; children: ReactNode };

/** A link within the board. */
export function Link({ to, query, className, current, children }: LinkProps) {
  return (
    <AriaLink
      href={addressOf(to, query)}
      {...(className !== undefined && { className })}
      {...(current && { "aria-current": "page" as const })}
    >
      {children}
    </AriaLink>
  );
}
