import type { Schema } from "@waybill/client";
import { lazy, type ReactNode, Suspense } from "react";

import { Instead } from "./parts/page";
import { Password } from "./password";
import { texts } from "./texts";

type Role = Schema<"UserRole">;

/** A page: the first part of its path, its name in the menu (without one it is not there), and what it shows. */
type Page = { at: string; name?: string; show: (path: string[]) => ReactNode };

// Each role loads its own pages.
const Dispatch = lazy(() => import("./dispatch/page").then(({ Dispatch }) => ({ default: Dispatch })));
const PickupPage = lazy(() => import("./pickup/page").then(({ PickupPage }) => ({ default: PickupPage })));
const Clinic = lazy(() => import("./clinic/page").then(({ Clinic }) => ({ default: Clinic })));
const Hub = lazy(() => import("./hub/page").then(({ Hub }) => ({ default: Hub })));
const Driver = lazy(() => import("./driver/page").then(({ Driver }) => ({ default: Driver })));
const Users = lazy(() => import("./admin/users").then(({ Users }) => ({ default: Users })));
const Accounts = lazy(() => import("./admin/accounts").then(({ Accounts }) => ({ default: Accounts })));
const Groups = lazy(() => import("./admin/groups").then(({ Groups }) => ({ default: Groups })));
const Facilities = lazy(() => import("./admin/facilities").then(({ Facilities }) => ({ default: Facilities })));
const Feeds = lazy(() => import("./admin/feeds").then(({ Feeds }) => ({ default: Feeds })));
const Reads = lazy(() => import("./admin/reads").then(({ Reads }) => ({ default: Reads })));
const Jobs = lazy(() => import("./admin/jobs").then(({ Jobs }) => ({ default: Jobs })));
const Webhooks = lazy(() => import("./admin/webhooks").then(({ Webhooks }) => ({ default: Webhooks })));
const Flags = lazy(() => import("./admin/flags").then(({ Flags }) => ({ default: Flags })));

const loading = <Instead of={{ isPending: true, error: null, refetch: undefined! }} />;

function later(name: string | undefined, at: string, show: (path: string[]) => ReactNode): Page {
  const page = { at, show: (path: string[]) => <Suspense fallback={loading}>{show(path)}</Suspense> };
  return name === undefined ? page : { ...page, name };
}

const board = later(texts.nav.board, "", () => <Dispatch />);
const common: Page[] = [
  later(undefined, "pickups", ([, id = ""]) => <PickupPage key={id} id={id} />),
  { at: "password", show: () => <Password /> },
];

const pages: Record<Role, Page[]> = {
  admin: [
    board,
    later(texts.nav.users, "users", () => <Users />),
    later(texts.nav.groups, "groups", ([, id]) => <Groups id={id} />),
    later(texts.nav.facilities, "facilities", ([, id]) => <Facilities id={id} />),
    later(texts.nav.accounts, "accounts", ([, id]) => <Accounts id={id} />),
    later(texts.nav.feeds, "feeds", ([, id]) => <Feeds id={id} />),
    later(texts.nav.reads, "reads", ([, ...of]) => <Reads of={of} />),
    later(texts.nav.webhooks, "webhooks", ([, id]) => <Webhooks id={id} />),
    later(texts.nav.jobs, "jobs", () => <Jobs />),
    later(texts.nav.flags, "flags", () => <Flags />),
  ],
  dispatcher: [board, later(texts.nav.accounts, "accounts", ([, id]) => <Accounts id={id} />)],
  staff: [later(texts.nav.book, "", () => <Clinic />)],
  hub: [later(texts.nav.hub, "", () => <Hub />)],
  driver: [later(texts.nav.mine, "", () => <Driver />)],
};

/** Returns the pages of a role. A role that is not listed has none but those that everybody has. */
export function pagesFor(role: Role): Page[] {
  return [...(pages[role] ?? []), ...common];
}
