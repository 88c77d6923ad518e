import type { Schema } from "@waybill/client";

import { distanceOf } from "../format";
import { texts } from "../texts";

type Point = [latitude: number, longitude: number];
type Located = { id: string; name: string; latitude: number | null; longitude: number | null };

type Props = {
  facilities: Schema<"Facility">[];
  free: Located[];
  busy: Located[];
  chosen: Point | undefined;
  /** Whether what is not there is known not to be. */
  isRead: boolean;
};

const width = 320;
const height = 200;
const margin = 16;

/** Points on a plane with a scale: where facilities and drivers are, without a map from another host. */
export function PlaneMap({ facilities, free, busy, chosen, isRead }: Props) {
  const kinds = [
    { kind: "facility", items: facilities as Located[] },
    { kind: "busy", items: busy },
    { kind: "free", items: free },
  ].map(({ kind, items }) => ({ kind, points: items.flatMap(pointOf) }));
  const all = kinds.flatMap(({ points }) => points.map(({ at }) => at));
  if (chosen) all.push(chosen);
  if (all.length === 0) return isRead && <p className="empty">{texts.drivers.mapEmpty}</p>;
  const plane = planeOf(all);
  const [places, atWork, waiting] = kinds.map(({ points }) => points.length);
  const label = texts.drivers.map(waiting!, atWork!, places!, chosen !== undefined);
  return (
    <figure className="map">
      <svg viewBox={`0 0 ${width} ${height}`} role="img" aria-label={label}>
        {kinds.map(({ kind, points }) =>
          points.map(({ id, name, at }) => (
            <Mark key={id} kind={kind} at={plane.place(at)}>
              {name}
            </Mark>
          )),
        )}
        {chosen && <circle className="chosen" {...centre(plane.place(chosen))} r={10} />}
        <Scale length={plane.scale.pixels} text={distanceOf(plane.scale.meters)} />
      </svg>
      <figcaption>
        {(["free", "busy", "facility", "chosen"] as const).map((kind) => (
          <span key={kind} className={`legend ${kind}`}>
            {texts.drivers.legend[kind]}
          </span>
        ))}
      </figcaption>
    </figure>
  );
}

function pointOf({ id, name, latitude, longitude }: Located): { id: string; name: string; at: Point }[] {
  return latitude === null || longitude === null ? [] : [{ id, name, at: [latitude, longitude] }];
}

function Mark({ kind, at, children }: { kind: string; at: [number, number]; children: string }) {
  const [x, y] = at;
  return kind === "facility" ? (
    <rect className={kind} x={x - 4} y={y - 4} width={8} height={8}>
      <title>{children}</title>
    </rect>
  ) : (
    <circle className={kind} cx={x} cy={y} r={5}>
      <title>{children}</title>
    </circle>
  );
}

function centre([cx, cy]: [number, number]) {
  return { cx, cy };
}

function Scale({ length, text }: { length: number; text: string }) {
  const y = height - 6;
  return (
    <g className="scale">
      <path d={`M6 ${y - 4}V${y}H${6 + length}V${y - 4}`} />
      <text x={10 + length} y={y}>
        {text}
      </text>
    </g>
  );
}

const metersPerDegree = 111_320;

/** Returns where points are drawn: equirectangular around their middle, the same scale in both directions. */
function planeOf(points: Point[]) {
  const [south, north] = rangeOf(points.map(([latitude]) => latitude));
  const [west, east] = rangeOf(points.map(([, longitude]) => longitude));
  const narrower = Math.cos((((south + north) / 2) * Math.PI) / 180);
  const meters = {
    x: Math.max((east - west) * metersPerDegree * narrower, 500),
    y: Math.max((north - south) * metersPerDegree, 500),
  };
  const pixelsPerMeter = Math.min((width - 2 * margin) / meters.x, (height - 2 * margin) / meters.y);
  const place = ([latitude, longitude]: Point): [number, number] => [
    width / 2 + (longitude - (west + east) / 2) * metersPerDegree * narrower * pixelsPerMeter,
    height / 2 - (latitude - (south + north) / 2) * metersPerDegree * pixelsPerMeter,
  ];
  const round = roundDown(80 / pixelsPerMeter);
  return { place, scale: { meters: round, pixels: round * pixelsPerMeter } };
}

function rangeOf(values: number[]): [number, number] {
  return values.reduce<[number, number]>(
    ([least, most], v) => [Math.min(least, v), Math.max(most, v)],
    [Infinity, -Infinity],
  );
}

/** Returns the greatest 1, 2 or 5 with zeros that is not above a number. */
function roundDown(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * (value >= 5 * power ? 5 : value >= 2 * power ? 2 : 1);
}
