import { type AddressInfo, connect, createServer, type Socket } from "node:net";

/** A way to a server that can be cut: for the browser it is as if the server had been killed. */
export type Proxy = {
  url: string;
  /** Cuts every connection. New ones are made. */
  cut: () => void;
  /** Cuts every connection, and refuses new ones. */
  down: () => void;
  up: () => void;
  close: () => void;
};

/** Starts a proxy on the loopback. */
export async function proxyTo(target: string): Promise<Proxy> {
  const { hostname, port } = new URL(target);
  const open = new Set<Socket>();
  let refusing = false;
  const server = createServer((from) => {
    if (refusing) return void from.destroy();
    const to = connect(Number(port), hostname);
    for (const [socket, other] of [
      [from, to],
      [to, from],
    ] as const) {
      open.add(socket);
      socket.on("error", () => other.destroy());
      socket.on("close", () => {
        open.delete(socket);
        other.destroy();
      });
      socket.pipe(other);
    }
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  const cut = () => open.forEach((socket) => socket.destroy());
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    cut,
    down: () => {
      refusing = true;
      cut();
    },
    up: () => {
      refusing = false;
    },
    close: () => {
      cut();
      server.close();
    },
  };
}
