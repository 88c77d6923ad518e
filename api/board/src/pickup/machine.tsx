import type { Schema } from "@waybill/client";
import { useList } from "@waybill/client/react";
import { useEffect, useRef } from "react";

import { timeAt, tookOf } from "../format";
import { useTimeOf } from "../now";
import { Instead } from "../parts/page";
import { texts } from "../texts";
import type { Rule, Status } from "./transitions";

type Event = Schema<"PickupEvent">;

const step = 104;
const lane = 34;
const box = { width: 88, height: 30 };
const top = 32; // for the times above the first lane, here and at the facility

type Props = { status: Status; events: Event[]; zone: string | undefined };

/**
 * The state machine as the server has it, with the way that a pickup took: the statuses it has had are filled, and
 * the arrows it went are drawn thick. Above each status stands when the pickup came to it last, and
 * above that, when it was at the facility, where clocks differ.
 */
export function Machine({ status, events, zone }: Props) {
  const read = useList("list-pickup-transitions");
  const timeOf = useTimeOf();
  const rules = read.data ?? [];
  const layout = layoutOf(rules);
  const figure = useRef<HTMLElement>(null);
  const isDrawn = layout.size > 0;
  // On a phone the drawing is wider than the page: where the pickup is now is in sight.
  useEffect(() => {
    figure.current?.querySelector(".now")?.scrollIntoView({ block: "nearest", inline: "center" });
  }, [isDrawn, status]);
  if (layout.size === 0) return <Instead of={read} />; // without the rules, the page has no buttons either
  const had = new Set<Status>([status, ...events.flatMap((e) => [e.from_status, e.to_status])]);
  const times = timesOf(events);
  const width = Math.max(...[...layout.values()].map(({ x }) => x)) + box.width + 8;
  return (
    <figure ref={figure} className="machine" tabIndex={0} aria-label={texts.pickup.way}>
      <svg
        viewBox={`0 0 ${width} ${top + 2 * lane + box.height + 8}`}
        role="img"
        aria-label={describe(events, status)}
      >
        <defs>
          <marker
            id="arrow"
            viewBox="0 0 8 8"
            refX="7"
            refY="4"
            markerWidth="8"
            markerHeight="8"
            markerUnits="userSpaceOnUse"
            orient="auto"
          >
            <path d="M0 0L8 4L0 8z" />
          </marker>
        </defs>
        {arrowsOf(rules).map(([from, to]) => (
          <path
            key={`${from} ${to}`}
            className={went(events, from, to) ? "arrow taken" : "arrow"}
            markerEnd="url(#arrow)"
            d={pathOf(layout.get(from)!, layout.get(to)!)}
          />
        ))}
        {[...layout].map(([name, { x, y }]) => (
          <g key={name} className={`state s-${name}${had.has(name) ? " had" : ""}${name === status ? " now" : ""}`}>
            <rect x={x} y={y} width={box.width} height={box.height} rx="6" />
            <text x={x + box.width / 2} y={y + 19}>
              {texts.status[name]}
            </text>
            <text className="when" x={x + box.width / 2} y={y - 6}>
              {times.get(name) && timeOf(times.get(name)!)}
            </text>
            <text className="when" x={x + box.width / 2} y={y - 18}>
              {times.get(name) && timeAt(zone, times.get(name)!)}
            </text>
          </g>
        ))}
      </svg>
    </figure>
  );
}

/** Returns when a pickup came to each status that it has had, the last time. */
function timesOf(events: Event[]): Map<Status, string> {
  const sorted = [...events].sort((a, b) => a.version - b.version);
  return new Map(sorted.map(({ to_status, created_at }) => [to_status, created_at]));
}

function describe(events: Event[], status: Status): string {
  const sorted = [...events].sort((a, b) => a.version - b.version);
  const taken = sorted.map((event, i) => {
    const before = sorted[i - 1];
    const after = before && texts.pickup.took(tookOf(Date.parse(event.created_at) - Date.parse(before.created_at)));
    return [texts.done[event.transition], after].filter(Boolean).join(" ");
  });
  return [texts.pickup.machine, ...taken, texts.status[status]].join(". ");
}

type Place = { x: number; y: number };

/** Places the statuses: each a step behind the first that leads to it; those that lead nowhere else below. */
function layoutOf(rules: Rule[]): Map<Status, Place> {
  const targets = new Set(rules.map((rule) => rule.to_status));
  const starts = rules.flatMap((rule) => rule.from_statuses).filter((status) => !targets.has(status));
  const depth = new Map<Status, number>(starts.map((status) => [status, 0]));
  const queue = [...depth.keys()];
  for (let from = queue.shift(); from !== undefined; from = queue.shift()) {
    for (const rule of rules) {
      if (!rule.from_statuses.includes(from) || depth.has(rule.to_status)) continue;
      depth.set(rule.to_status, depth.get(from)! + 1);
      queue.push(rule.to_status);
    }
  }
  const lanes = new Map<number, number>();
  const places = new Map<Status, Place>();
  const goesOn = (status: Status) => rules.some((rule) => rule.from_statuses.includes(status));
  const order = [...depth].sort((a, b) => Number(goesOn(b[0])) - Number(goesOn(a[0])));
  for (const [status, steps] of order) {
    const used = lanes.get(steps) ?? 0;
    lanes.set(steps, used + 1);
    places.set(status, { x: 4 + steps * step, y: top + used * 2 * lane });
  }
  return places;
}

/** Returns each pair of statuses between which there is a transition, once. */
function arrowsOf(rules: Rule[]): [Status, Status][] {
  const pairs = new Map<string, [Status, Status]>();
  for (const { from_statuses, to_status } of rules) {
    for (const from of from_statuses) if (from !== to_status) pairs.set(`${from} ${to_status}`, [from, to_status]);
  }
  return [...pairs.values()];
}

function went(events: Event[], from: Status, to: Status): boolean {
  return events.some((event) => event.from_status === from && event.to_status === to);
}

/** Returns a line from one box to another: straight to the next, in an arc to others. */
function pathOf(from: Place, to: Place): string {
  const [left, right] = [from.x + box.width, to.x];
  const middle = (p: Place) => p.y + box.height / 2;
  if (from.y === to.y && right - left < step && right > left) return `M${left} ${middle(from)}H${right - 1}`;
  const [x1, x2] = [from.x + box.width / 2, to.x + box.width / 2];
  const below = from.y + box.height;
  if (from.y === to.y) return `M${x1} ${below}Q${(x1 + x2) / 2} ${below + lane} ${x2} ${below + 1}`;
  return from.y < to.y ? `M${x1} ${below}L${x2} ${to.y - 1}` : `M${x1} ${from.y}L${x2} ${to.y + box.height + 1}`;
}
