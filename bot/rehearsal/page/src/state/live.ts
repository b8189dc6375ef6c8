// The live feed: one WebSocket for one person. Its first frame is the whole world, every later one changes it.
// When it breaks it comes back, and the new first frame replaces everything.
import { useEffect, useState } from "preact/hooks";
import { apply, type Change, type World } from "./world";

type Frame = { type: "state"; state: World } | { type: "changes"; version: number; changes: Change[] };

export type Connection = "connecting" | "live" | "lost";

const socketUrl = (path: string) => `ws${location.protocol === "https:" ? "s" : ""}://${location.host}${path}`;

/** Keep a socket open and hand every frame on. Returns how to end it. */
export function keepOpen(path: string, onFrame: (frame: unknown) => void, onChange: (is: Connection) => void): () => void {
  let socket: WebSocket;
  let again: number | undefined;
  let pause = 500;
  let ended = false;
  const open = () => {
    socket = new WebSocket(socketUrl(path));
    socket.onmessage = (event) => {
      pause = 500;
      onChange("live");
      onFrame(JSON.parse(event.data as string));
    };
    socket.onclose = () => {
      if (ended) return;
      onChange("lost");
      again = window.setTimeout(open, pause);
      pause = Math.min(pause * 2, 5000);
    };
  };
  open();
  return () => {
    ended = true;
    window.clearTimeout(again);
    socket.close();
  };
}

/** The world as `person` sees it, and whether it is up to date. */
export function useWorld(person: string): [World | null, Connection] {
  const [world, setWorld] = useState<World | null>(null);
  const [connection, setConnection] = useState<Connection>("connecting");
  useEffect(() => {
    setConnection("connecting");
    const take = (frame: unknown) => {
      const said = frame as Frame;
      if (said.type === "state") setWorld(said.state);
      else setWorld((now) => now && { ...said.changes.reduce(apply, now), version: said.version });
    };
    return keepOpen(`/page/live?as=${encodeURIComponent(person)}`, take, setConnection);
  }, [person]);
  return [world, connection];
}
