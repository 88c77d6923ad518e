import { QueryClientProvider } from "@tanstack/react-query";
import { WaybillProvider } from "@waybill/client/react";
import { type ReactNode, useEffect, useRef, useState } from "react";
import { Button, RouterProvider } from "react-aria-components";

import { Connection } from "./connection";
import { LocationNote, LocationProvider } from "./driver/location";
import { NoticesProvider } from "./parts/notices";
import { Heading } from "./parts/page";
import { Login } from "./login";
import { AskToLeave, unsentIn } from "./outbox";
import { pagesFor } from "./pages";
import { Link, useAddress } from "./router";
import { SessionProvider, useGate, useSession } from "./session";
import { texts } from "./texts";

export function App() {
  return (
    <SessionProvider>
      <Gate />
    </SessionProvider>
  );
}

/** Shows the login or the pages of a role. */
function Gate() {
  const { session, waybill, cache } = useGate();
  if (session === undefined) return <Login />;
  return (
    <QueryClientProvider client={cache}>
      <WaybillProvider waybill={waybill}>
        <RouterProvider navigate={openHref}>
          <NoticesProvider>
            {session.user.role === "driver" && session.driverId !== undefined ? (
              <LocationProvider driverId={session.driverId}>
                <Frame />
              </LocationProvider>
            ) : (
              <Frame />
            )}
          </NoticesProvider>
        </RouterProvider>
      </WaybillProvider>
    </QueryClientProvider>
  );
}

function openHref(href: string): void {
  const { pathname, search } = new URL(href, location.origin);
  history.pushState(null, "", pathname + search);
  dispatchEvent(new PopStateEvent("popstate"));
}

/** What is around every page: the way to the others, the state of the connection, the user. */
function Frame() {
  const { user } = useSession();
  const { cache, logout } = useGate();
  const [asks, setAsks] = useState(false);
  const { path } = useAddress();
  const pages = pagesFor(user.role);
  const page = pages.find(({ at }) => at === (path[0] ?? ""));
  const nav = useRef<HTMLElement>(null);
  // On a phone, the names of the pages stand in one row, which scrolls.
  useEffect(() => {
    const current = nav.current?.querySelector<HTMLElement>("[aria-current]");
    if (current) nav.current?.scrollTo({ left: current.offsetLeft - nav.current.offsetLeft - 24 });
  }, [page]);
  return (
    <>
      <a className="skip" href="#content">
        {texts.skip}
      </a>
      <header className="bar">
        <strong className="brand">{texts.product}</strong>
        <nav ref={nav} aria-label={texts.nav.label}>
          {pages
            .filter(({ name }) => name !== undefined)
            .map(({ at, name }) => (
              <Link key={at} to={at ? [at] : []} current={page?.at === at}>
                {name}
              </Link>
            ))}
        </nav>
        <Connection />
        <LocationNote />
        <span className="who">
          <Link to={["password"]}>{user.name}</Link>
          <small>{texts.role[user.role]}</small>
        </span>
        <Button className="plain" onPress={() => (unsentIn(cache).length > 0 ? setAsks(true) : logout())}>
          {texts.logout}
        </Button>
        <AskToLeave isOpen={asks} close={() => setAsks(false)} leave={logout} />
      </header>
      <main id="content" tabIndex={-1} data-page={page?.at || "home"}>
        {page ? page.show(path) : <Missing />}
      </main>
    </>
  );
}

function Missing(): ReactNode {
  return (
    <section className="narrow">
      <Heading title={texts.notFound}>{texts.notFound}</Heading>
      <Link to={[]}>{texts.pickup.back}</Link>
    </section>
  );
}
