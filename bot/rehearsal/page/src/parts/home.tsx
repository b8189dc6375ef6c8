// The app's Home tab, as the app published it for this person.
import { useMemo } from "preact/hooks";
import { Blocks } from "../blocks/blocks";
import { SurfaceContext } from "../blocks/surface";
import { useActing } from "../state/acting";
import type { World } from "../state/world";
import { useViewSurface } from "./modal";
import { say } from "../words";

export function HomeTab({ world }: { world: World }) {
  return (
    <div class="home" role="tabpanel" id="panel-home" aria-labelledby="tab-home" tabIndex={0}>
      {world.home ? <Home world={world} key={world.home.id} /> : <p class="home-empty">{say("Huisstijl has not published its Home tab yet.")}</p>}
    </div>
  );
}

function Home({ world }: { world: World }) {
  const { perform } = useActing();
  const view = world.home!;
  const { surface } = useViewSurface(view, world.me, perform, useMemo(() => ({}), []));
  return (
    <SurfaceContext.Provider value={surface}>
      <div class="home-inner"><Blocks blocks={view.blocks} /></div>
    </SurfaceContext.Provider>
  );
}
