// Call sites from instruction pointers: where the vsyscall page is, is where a program makes many different calls from.
import type { SITES } from "../schema/enums.ts";

/** As many different calls from one address are no inline trap instruction. */
const DIFFERENT = 3;
/** The vsyscall page of an i386 process lies above its program. */
const LOWEST = 0x40000000;

interface Address {
  readonly image: number;
  readonly value: number;
  readonly names: Set<string>;
}

export class CallSites {
  readonly #addresses: Address[] = [];
  readonly #number = new Map<string, number>();
  known = 0;

  /** A call of a program image was made from `pointer` (hexadecimal). Gives the number of that place, from 1. */
  note(image: number, pointer: string, name: string): number {
    const key = `${image} ${pointer}`;
    let number = this.#number.get(key);
    if (number === undefined) {
      number = this.#addresses.length;
      this.#addresses.push({ image, value: Number.parseInt(pointer, 16), names: new Set() });
      this.#number.set(key, number);
    }
    const { names } = this.#addresses[number];
    if (names.size < DIFFERENT) names.add(name);
    this.known++;
    return number + 1;
  }

  /** The site of every place, by its number; nobody knows that of place 0. */
  resolve(value: (site: (typeof SITES)[number]) => number): Uint8Array {
    const kinds = this.#addresses.map(({ value: at, names }) =>
      value(names.size >= DIFFERENT && at >= LOWEST ? "vsyscall" : "int80"),
    );
    return Uint8Array.from([value("unknown"), ...kinds]);
  }
}
