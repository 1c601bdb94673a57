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
  /** Address of each event that has one, as a number into the list; 0: none. */
  #of = new Int32Array(0);
  known = 0;

  /** An event of a program image was made from `pointer` (hexadecimal). */
  note(event: number, image: number, pointer: string, name: string): void {
    const key = `${image} ${pointer}`;
    let number = this.#number.get(key);
    if (number === undefined) {
      number = this.#addresses.length;
      this.#addresses.push({ image, value: Number.parseInt(pointer, 16), names: new Set() });
      this.#number.set(key, number);
    }
    const { names } = this.#addresses[number];
    if (names.size < DIFFERENT) names.add(name);
    if (event >= this.#of.length) {
      const more = new Int32Array(Math.max(4096, Math.ceil(event * 1.5)));
      more.set(this.#of);
      this.#of = more;
    }
    this.#of[event] = number + 1;
    this.known++;
  }

  /** Writes the site of every event that has a pointer. */
  resolve(column: Uint8Array, value: (site: (typeof SITES)[number]) => number): void {
    const kind = this.#addresses.map(({ value: at, names }) =>
      value(names.size >= DIFFERENT && at >= LOWEST ? "vsyscall" : "int80"),
    );
    for (let event = 0; event < this.#of.length; event++) {
      if (this.#of[event] > 0) column[event] = kind[this.#of[event] - 1];
    }
  }
}
