// A case run again and again while its machine is disturbed at random: what it does must stay what it did natively, and its machine must
// end with as many free frames as when nobody disturbed it.
import { MemoryIo } from "../../src/emu/host.ts";
import type { Kernel } from "../../src/emu/kernel/kernel.ts";
import type { RootImage } from "../../src/emu/rootfs/image.ts";
import { type RunOptions, runProgram } from "../../src/emu/run.ts";
import { holdings, Injector } from "../guest/injector.ts";
import { kept, noting } from "../guest/open-files.ts";
import type { Case } from "./cases.ts";
import { runGuest, type Way } from "./guest.ts";
import { differences, type Outcome } from "./outcome.ts";

export interface Tortured {
  readonly instructions: number;
  readonly disturbances: number;
  /** What is wrong, with the seed that shows it; nothing if all is well. */
  readonly wrong: readonly string[];
}

/** Disturbs the cases of one image. */
export class Torture {
  private readonly image: RootImage;
  private readonly before: readonly string[];
  /** What machines hold at the end of undisturbed runs. */
  private readonly held = new Map<string, string>();

  /** @param before the image's lines (`imageTree`) */
  constructor(image: RootImage, before: readonly string[]) {
    this.image = image;
    this.before = before;
  }

  private undisturbed(c: Case, way: Way): string {
    const key = `${c.name} ${way.name}`;
    const known = this.held.get(key);
    if (known !== undefined) return known;
    let kernel: Kernel | undefined;
    runGuest(this.image, this.before, c, way, (k) => {
      kernel = k;
    });
    const held = holdings(kernel!);
    this.held.set(key, held);
    return held;
  }

  /**
   * @param native what the case did natively
   * @param mean clock units between two disturbances
   */
  run(c: Case, way: Way, native: Outcome, seed: number, mean: number): Tortured {
    const held = this.undisturbed(c, way);
    let injector: Injector | undefined;
    let kernel: Kernel | undefined;
    const { result: outcome, ledger } = noting(() =>
      runGuest(this.image, this.before, c, way, (k) => {
        kernel = k;
        injector = new Injector(k, seed, mean);
      }),
    );
    const wrong = [...differences(native, outcome), ...injector!.leaks(), ...kept(kernel!, ledger)];
    if (holdings(kernel!) !== held) wrong.push(`at the end: ${holdings(kernel!)}; undisturbed: ${held}`);
    const where = `${c.name}, ${way.name}, seed ${seed}, every ${mean}: `;
    return {
      instructions: kernel!.cpu.icount,
      disturbances: injector!.total,
      wrong: wrong.map((what) => where + what),
    };
  }
}

/** What an image's long program does when nobody disturbs it, by the way in. */
const undisturbed = new WeakMap<RootImage, Map<string, { readonly out: string; readonly held: string }>>();

/**
 * The program /bin/long of an image, by one way, disturbed; compared with what it does undisturbed.
 * @param machine scheduler, kernel, ticks: the output does not depend on them
 */
export function tortureLong(
  image: RootImage,
  way: Way,
  seed: number,
  mean: number,
  machine: Partial<RunOptions> = {},
): Tortured {
  const { ring, entry } = way;
  const run = (attach?: (k: Kernel) => void) => {
    const host = new MemoryIo();
    const { kernel, status } = runProgram({
      image,
      argv: ["/bin/long"],
      host,
      memoryMiB: 32,
      cwd: "/",
      ring,
      entry,
      ...machine,
      attach,
    });
    return { kernel, out: `${status} ${host.text("out")}${host.text("err")}`, held: holdings(kernel) };
  };
  const ways = undisturbed.get(image) ?? new Map();
  undisturbed.set(image, ways);
  const known = ways.get(way.name) ?? run();
  ways.set(way.name, { out: known.out, held: known.held });
  let injector: Injector | undefined;
  const { result, ledger } = noting(() =>
    run((k) => {
      injector = new Injector(k, seed, mean);
    }),
  );
  const { kernel, out, held } = result;
  const wrong = [...injector!.leaks(), ...kept(kernel, ledger)];
  if (out !== known.out) wrong.push(`output: ${out}, not ${known.out}`);
  if (held !== known.held) wrong.push(`at the end: ${held}; undisturbed: ${known.held}`);
  return {
    instructions: kernel.cpu.icount,
    disturbances: injector!.total,
    wrong: wrong.map((what) => `long, ${way.name}, ${JSON.stringify(machine)}, seed ${seed}, every ${mean}: ${what}`),
  };
}
