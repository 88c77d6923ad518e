import { defaultLimits, type Limits, sleep } from "./attempts.js";
import type { Client } from "./client.js";
import { type Problem, Refused } from "./problem.js";
import type { Schema } from "./types.js";

/** One message of the stream. A checkpoint has an id and no event. */
export type Message = { id: string; event?: Schema<"PickupEvent"> };

/** Connecting, open, or waiting to connect again. */
export type StreamState = "connecting" | "open" | "waiting";

export type StreamOptions = {
  /** The id of the last message that was received; without it the stream begins with new events. */
  after?: string | undefined;
  /** Ends the stream, which then returns. */
  signal?: AbortSignal;
  /** Is told of each change of the state, such as to show that the page is offline. */
  onState?: (state: StreamState) => void;
  /** Is told of each sign of life, heartbeats too: what was read before is as the server has it, up to then. */
  onAlive?: () => void;
  /**
   * Is awaited when the history of events has ended, because the database was restored or another server took over
   * after a failure: read again what you keep of the pickups. The stream goes on with the events since the call. If
   * it fails, it is called again. Without it the stream throws Refused, with the code stream_restarted.
   */
  onRestart?: () => void | Promise<void>;
  /** How long without a byte until the connection counts as lost, in milliseconds; heartbeats come every 15 s. */
  silence?: number;
};

const longestSilence = 40_000;

/**
 * The event stream, which heals itself: when the connection is lost, it continues after the last message
 * that was delivered, so that none is missed and none comes twice.
 *
 *     for await (const { id, event } of waybill.pickups.stream({ after, signal, onState })) {
 *       if (event) show(event);
 *       after = id;
 *     }
 *
 * It ends with its signal. A refusal that another attempt would not change (the session has ended) is thrown
 * as Refused; so is the end of the history to which the position belongs, unless there is onRestart.
 */
export class Stream implements AsyncIterable<Message> {
  constructor(
    private readonly client: Client,
    private readonly options: StreamOptions,
    private readonly limits: Limits = defaultLimits,
  ) {}

  async *[Symbol.asyncIterator](): AsyncGenerator<Message, void, undefined> {
    const { signal, onState, onAlive, onRestart, silence = longestSilence } = this.options;
    let { after } = this.options;
    let isRestarted = false;
    for (let failures = 0; !signal?.aborted; failures++) {
      onState?.("connecting");
      const lost = new AbortController();
      const watch = new Watch(lost, silence);
      try {
        const connection = signal ? AbortSignal.any([signal, lost.signal]) : lost.signal;
        const onBytes = () => {
          watch.reset();
          onAlive?.();
        };
        for await (const message of follow(this.client, { after, signal: connection, onBytes })) {
          if (failures !== -1) onState?.("open");
          failures = -1; // counted up to 0 when the connection ends: the first pause is short again
          after = message.id;
          watch.pause(); // while the caller is at work
          if (isRestarted) await restart(onRestart);
          isRestarted = false;
          yield message;
          watch.reset();
        }
      } catch (error) {
        if (onRestart && error instanceof Refused && error.problem.code === "stream_restarted") {
          isRestarted = true;
          after = undefined;
        } else if (error instanceof Refused && !isTemporary(error.problem)) throw error;
      } finally {
        watch.pause();
        lost.abort();
      }
      if (signal?.aborted) return;
      onState?.("waiting");
      const { firstPause, longestPause } = this.limits;
      const longest = Math.min(firstPause * 2 ** Math.max(failures, 0), longestPause);
      await sleep(Math.random() * longest, signal).catch(() => {});
    }
  }
}

/** Has the caller read its state again. What refuses that is no refusal of the stream: it is tried again. */
async function restart(onRestart: StreamOptions["onRestart"]): Promise<void> {
  try {
    await onRestart?.();
  } catch (cause) {
    throw new Error("the state was not read again", { cause });
  }
}

/** Aborts a connection that has been silent for too long. */
class Watch {
  private timer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly connection: AbortController,
    private readonly silence: number,
  ) {
    this.reset();
  }

  reset(): void {
    this.pause();
    this.timer = setTimeout(() => this.connection.abort(new Error("the stream is silent")), this.silence);
  }

  pause(): void {
    clearTimeout(this.timer);
  }
}

function isTemporary({ status }: Problem): boolean {
  return status === 408 || status === 429 || status >= 500 || !status;
}

type Connection = { after?: string | undefined; signal?: AbortSignal; onBytes?: () => void };

/**
 * Follows stream-pickups over one connection, until the server ends the answer, or the signal aborts it. The
 * stream of createWaybill connects again by itself.
 */
export async function* follow(
  client: Client,
  { after, signal, onBytes }: Connection = {},
): AsyncGenerator<Message, void, undefined> {
  const { data, error } = await client.GET("/v1/pickups/stream", {
    params: { header: after === undefined ? {} : { "Last-Event-ID": after } },
    parseAs: "stream",
    ...(signal && { signal }),
  });
  if (error) throw new Refused(error);
  if (!data) return;
  let rest = "";
  let fields = new Map<string, string>();
  for await (const text of chunksOf(data)) {
    onBytes?.();
    const lines = (rest + text).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line === "") {
        const message = messageOf(fields);
        fields = new Map();
        if (message) yield message;
      } else if (!line.startsWith(":")) {
        fields.set(...field(line)); // a line that begins with a colon is a comment that keeps the connection open
      }
    }
  }
}

/** The text of a stream as it arrives. Safari's streams cannot be iterated. */
async function* chunksOf(data: ReadableStream<Uint8Array>): AsyncGenerator<string, void, undefined> {
  const reader = data.getReader();
  const decoder = new TextDecoder();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      yield decoder.decode(value, { stream: true });
    }
  } finally {
    await reader.cancel().catch(() => {});
  }
}

function messageOf(fields: Map<string, string>): Message | undefined {
  const [id, name, json] = [fields.get("id"), fields.get("event"), fields.get("data")];
  if (id === undefined || json === undefined) return undefined;
  return name === "checkpoint" ? { id } : { id, event: JSON.parse(json) };
}

function field(line: string): [name: string, value: string] {
  const colon = line.indexOf(":");
  return [line.slice(0, colon), line.slice(colon + 1).trimStart()];
}
