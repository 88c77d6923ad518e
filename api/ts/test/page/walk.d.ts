/** A server, and who logs in there. */
export type Asked = { url: string; logins: Record<"staff" | "dispatcher" | "hub", Login> };

type Login = { tenant: string; email: string; password: string };

/** What a page of another origin gets to see of a pickup's life. */
export type Walk = {
  /** After each step that answers with the pickup. */
  statuses: string[];
  /** The transitions that the stream told. */
  told: string[];
  /** The transitions that the list of events has. */
  recorded: string[];
  /** The code of a second delivery. */
  refused: string;
};

/** What it gets to see of a draft that it repeats and edits. */
export type Edits = {
  statuses: string[];
  repeated: boolean;
  conflict: string | undefined;
};

declare global {
  interface Window {
    walk: (asked: Asked) => Promise<Walk>;
    edits: (asked: Asked) => Promise<Edits>;
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
