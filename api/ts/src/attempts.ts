import type { NoAnswer } from "./problem.js";

/** Options of every call. */
export type CallOptions = {
  /** Gives up at once: the call rejects with the signal's reason. */
  signal?: AbortSignal;
  /** How long to try, in milliseconds; 30,000 by default. */
  deadline?: number;
};

/** Options of a write. */
export type WriteOptions = CallOptions & {
  /** Tries the write: it is answered as it would be now, and nothing is written. The result says so in dryRun. */
  dryRun?: boolean;
};

/** Options of a call whose repetitions are recognized by a key. */
export type KeyedOptions = WriteOptions & Keyed;

export type Keyed = {
  /** A key of the caller's, so that the intent outlives the page; by default each call is an intent. */
  idempotencyKey?: string;
};

/** Options of a transition. */
export type TransitionOptions = WriteOptions & Comparable;

export type Comparable = Keyed & {
  /** The ETag of the row as it was read: refuses the transition of one that has changed. */
  ifMatch?: string;
};

/** How long, and how often, calls try. */
export type Limits = {
  deadline: number;
  /** How long to wait for one answer, in milliseconds. */
  attemptTimeout: number;
  /** The longest pause before the second attempt, in milliseconds; it doubles with each. */
  firstPause: number;
  longestPause: number;
};

export const defaultLimits: Limits = { deadline: 30_000, attemptTimeout: 12_000, firstPause: 100, longestPause: 5_000 };

/** An answer as openapi-fetch gives it. */
export type Answer = { data?: unknown; error?: unknown; response: Response };

/** The last answer, and whether an earlier attempt may have taken effect. */
export type Attempts = { answer: Answer; uncertain: boolean } | { answer?: undefined; error: NoAnswer };

/**
 * Sends a request until it is answered. What is tried again: a connection that failed or was cut, an answer
 * that is none of Waybill's, and the statuses that say to come again. The pauses grow, with jitter, and are
 * no shorter than Retry-After.
 *
 * A repeated write takes effect once, since each attempt sends the same key, id or version.
 */
export async function attempt(
  send: (signal: AbortSignal) => Promise<Answer>,
  options: CallOptions,
  limits: Limits,
): Promise<Attempts> {
  const end = Date.now() + (options.deadline ?? limits.deadline);
  let uncertain = false;
  for (let n = 0; ; n++) {
    options.signal?.throwIfAborted();
    const outcome = await once(send, options.signal, Math.min(limits.attemptTimeout, end - Date.now()));
    if ("answer" in outcome && !isTemporary(outcome.answer.response.status)) return { ...outcome, uncertain };
    const answered = "answer" in outcome;
    const wait = Math.max(pause(n, limits), answered ? retryAfter(outcome.answer.response) : 0);
    if (Date.now() + wait >= end) {
      if (answered && isProblem(outcome.answer.error)) return { ...outcome, uncertain };
      const detail = answered
        ? `The last answer had the status ${outcome.answer.response.status}, and is not Waybill's.`
        : "No answer came before the deadline.";
      return { error: { code: "no_answer", detail, ...(!answered && { cause: outcome.cause }) } };
    }
    uncertain ||= !answered || outcome.answer.response.status >= 500;
    await sleep(wait, options.signal);
  }
}

async function once(
  send: (signal: AbortSignal) => Promise<Answer>,
  signal: AbortSignal | undefined,
  timeout: number,
): Promise<{ answer: Answer } | { cause: unknown }> {
  const limited = AbortSignal.timeout(Math.max(timeout, 1));
  try {
    const answer = await send(signal ? AbortSignal.any([signal, limited]) : limited);
    // An error without a code is a proxy's page, or was cut.
    if (answer.error !== undefined && !isProblem(answer.error) && !isTemporary(answer.response.status)) {
      return { cause: answer.error };
    }
    return { answer };
  } catch (cause) {
    signal?.throwIfAborted();
    return { cause };
  }
}

/** Whether a status says to come again: the request was not carried out, or nobody knows. */
function isTemporary(status: number): boolean {
  return [408, 425, 429, 502, 503, 504].includes(status);
}

function isProblem(error: unknown): boolean {
  return typeof error === "object" && error !== null && "code" in error;
}

function pause(n: number, { firstPause, longestPause }: Limits): number {
  return Math.random() * Math.min(firstPause * 2 ** n, longestPause);
}

/** What Retry-After says, as seconds or as a date, in milliseconds; 0 for none. */
function retryAfter(response: Response): number {
  const value = response.headers.get("Retry-After")?.trim() ?? "";
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - Date.now();
  return wait > 0 ? wait : 0; // also if it is neither
}

/** Waits; rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", stop);
      resolve();
    }, ms);
    signal?.addEventListener("abort", stop, { once: true });
  });
}
