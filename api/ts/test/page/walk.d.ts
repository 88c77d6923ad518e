/** What a page of another origin gets to see. */
export type Walk = {
  statuses: string[];
  told: string[];
  repeated: boolean;
  conflict: string | undefined;
  refused: string;
};

declare global {
  interface Window {
    walk: (asked: { url: string; login: object; order: object }) => Promise<Walk>;
    /** Shows a board of pickups with the hooks. */
    board: (shown: { url: string; token: string; driver: string }) => void;
  }
}
