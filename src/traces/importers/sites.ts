// Call sites from instruction pointers: where the vsyscall page is, is where a program makes many different calls from.
import type { SITES } from "../schema/enums.ts";

/** As many different calls from one address are no inline trap instruction. */
const DIFFERENT = 3;
const PAGE = 4096;
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

  /**
   * The site of every place, by its number; nobody knows that of place 0. The vsyscall page is one page of the kernel's, at another address
   * in every program but with the same contents: where a program makes too few calls to tell, the place within the page does.
   */
  resolve(value: (site: (typeof SITES)[number]) => number): Uint8Array {
    const tells = ({ value: at, names }: Address): boolean => names.size >= DIFFERENT && at >= LOWEST && at < 2 ** 32;
    const found = this.#addresses.filter(tells);
    const told = new Set(found.map(({ image }) => image));
    const offsets = new Set(found.map(({ value: at }) => at % PAGE));
    const kinds = this.#addresses.map((address) => {
      const { image, value: at } = address;
      const same = !told.has(image) && at >= LOWEST && at < 2 ** 32 && offsets.has(at % PAGE);
      return value(tells(address) || same ? "vsyscall" : "int80");
    });
    return Uint8Array.from([value("unknown"), ...kinds]);
  }
}
