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
    /** Says what the mocked server answers, and shows the page. */
    mock: {
      list: (addresses: string[]) => Promise<void>;
      refuseOnce: () => void;
      refuseList: () => void;
      show: () => void;
    };
  }
}
