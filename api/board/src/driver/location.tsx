import { useCall, useValue } from "@waybill/client/react";
import { createContext, type ReactNode, useContext, useEffect, useMemo, useState } from "react";
import { Switch } from "react-aria-components";

import { exactTimeOf } from "../format";
import { reasonOf } from "../parts/notices";
import { texts } from "../texts";

type Sharing = { sharing: boolean; setSharing: (sharing: boolean) => void; said: string | undefined };

const Context = createContext<Sharing | undefined>(undefined);

const sentEvery = 15_000;

/**
 * Sends where the phone is, while the driver wants it and is on duty: the browser asks for consent, and the switch ends
 * it. It stands above the pages, so that opening another one does not end it.
 */
export function LocationProvider({ driverId, children }: { driverId: string; children: ReactNode }) {
  const [sharing, setPresent] = useState(false);
  const [said, setSaid] = useState<string>();
  const setSharing = (on: boolean, why?: string) => {
    setPresent(on);
    setSaid(why);
  };
  const isOff = useValue("get-driver", driverId).data?.on_duty === false;
  useEffect(() => {
    if (isOff) setSharing(false); // on duty again, they are asked again
  }, [isOff]);
  useLocation(sharing && !isOff, driverId, { say: setSaid, end: (why) => setSharing(false, why) });
  const present = useMemo(() => ({ sharing, setSharing, said }), [sharing, said]);
  return <Context.Provider value={present}>{children}</Context.Provider>;
}

type Told = { say: (text: string) => void; end: (why: string) => void };

function useLocation(active: boolean, driverId: string, { say, end }: Told): void {
  const locate = useCall("locate-driver");
  useEffect(() => {
    if (!active) return undefined;
    say(texts.driver.waiting);
    let last = 0;
    const send = ({ coords: { latitude, longitude }, timestamp }: GeolocationPosition) => {
      if (Date.now() - last < sentEvery) return;
      last = Date.now();
      const at = new Date(timestamp);
      locate.mutate([driverId, { latitude, longitude, located_at: at.toISOString() }], {
        onSuccess: () => say(texts.driver.shared(exactTimeOf(at))),
        onError: (error) => say(texts.driver.notShared(reasonOf(error))),
      });
    };
    const failed = ({ code, PERMISSION_DENIED }: GeolocationPositionError) => {
      if (code !== PERMISSION_DENIED) return say(texts.driver.nowhere); // as in a tunnel: the watch goes on
      end(texts.driver.denied);
    };
    const watch = navigator.geolocation.watchPosition(send, failed, {
      enableHighAccuracy: true,
      maximumAge: 10_000,
    });
    return () => navigator.geolocation.clearWatch(watch);
  }, [active, driverId]);
}

/** The driver's switch, and what became of it. */
export function LocationSwitch() {
  const present = useContext(Context);
  if (present === undefined) return null;
  const { sharing, setSharing, said } = present;
  return (
    <>
      <Switch isSelected={sharing} onChange={setSharing}>
        <span className="switch" aria-hidden="true" />
        {texts.driver.share}
      </Switch>
      <small className="said" role="status">
        {said}
      </small>
    </>
  );
}

/** Says on every page that the location is shared. */
export function LocationNote() {
  const present = useContext(Context);
  return present?.sharing ? <span className="sharing">{texts.driver.sharing}</span> : null;
}
