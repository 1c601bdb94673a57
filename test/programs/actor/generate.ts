// From a seed: a script for the actor. Whatever the kernel's timing, what it says is the same: strands meet before anything that others see.
import { Random } from "../random.ts";
import { Descriptors, signalDescriptor } from "./descriptors.ts";
import { connections, datagrams, pipeline, resets } from "./network.ts";
import { childSignals, executes, groups, orphans, refusals, statuses } from "./processes.ts";
import { Script, type Section } from "./script.ts";
import { ownSignals, timers } from "./signals.ts";
import { aimed, counting, ends, forks, owned, turns, wakes } from "./threads.ts";
import { awaitedSignal, interruptedWait } from "./waits.ts";

/** What a script is made of. */
export const EPISODES: Readonly<Record<string, (script: Script, s: Section) => void>> = {
  descriptors: (script, s) => new Descriptors(script, s).run(script.random.between(5, 40)),
  signalDescriptor,
  ownSignals: (script, s) => ownSignals(script, s, script.random.between(5, 40)),
  timers,
  interruptedWait,
  awaitedSignal,
  statuses,
  groups,
  orphans,
  childSignals,
  executes,
  refusals,
  counting,
  turns,
  wakes,
  owned,
  aimed,
  ends,
  forks,
  connections,
  datagrams,
  resets,
  pipeline,
};

const NAMES = Object.keys(EPISODES);

/** The script of a seed. @param only these episodes, each with random numbers of its own, so that they stay what they are without the others */
export function actorScript(seed: number, only?: readonly string[]): { episodes: string[]; script: string } {
  const random = new Random(seed ^ 0x5eed);
  const wanted = Array.from({ length: random.between(2, 5) }, (_, i) => `${random.pick(NAMES)}#${i}`);
  const script = new Script(random);
  const episodes: string[] = [];
  for (const episode of only ?? wanted) {
    if (!script.roomy) break;
    const [name, place] = episode.split("#");
    script.random = new Random(seed * 8 + Number(place));
    EPISODES[name](script, script.main);
    episodes.push(episode);
  }
  return { episodes, script: script.toString() };
}
