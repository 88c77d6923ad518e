import { useEffect, useRef } from "react";

type Read = { isFetching: boolean; refetch: (options: { cancelRefetch: boolean }) => unknown };

/**
 * Reads again what the stream does not tell of, every so often while the page can be seen, and when it is seen again.
 * A read that has not ended is waited for: while the server is away there is one at a time, not a heap of them.
 */
export function useReadAgain(milliseconds: number, ...reads: Read[]): void {
  const present = useRef(reads);
  useEffect(() => {
    present.current = reads;
  });
  useEffect(() => {
    const readAgain = () => {
      if (document.hidden || !navigator.onLine) return;
      for (const { isFetching, refetch } of present.current)
        if (!isFetching) void refetch({ cancelRefetch: false });
    };
    const timer = setInterval(readAgain, milliseconds);
    document.addEventListener("visibilitychange", readAgain);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", readAgain);
    };
  }, [milliseconds]);
}
