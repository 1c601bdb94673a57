// What the emulator asks of the host: standard streams. Everything else of the host is out of the guest's reach.

/** The guest's standard input as the host gives it. */
export interface HostInput {
  /**
   * Up to `maxBytes` of input; empty at the end. Blocks the emulator (not the virtual clock) until there is some,
   * so that a run does not depend on when the bytes came.
   */
  read(maxBytes: number): Uint8Array;
}

/** A terminal on the host, in raw mode: keys as they are typed, and host time to keep pace with. */
export interface HostTerminal {
  /** What was typed since the last call, without waiting: undefined if nothing was; empty at the end of the input. */
  poll(): Uint8Array | undefined;
  /** Lets host time pass, but returns when something is typed or the size changes. @param milliseconds Infinity: until then */
  wait(milliseconds: number): void;
  /** Host time in ms, from anywhere. */
  now(): number;
  /** The size as it is now. */
  size(): { rows: number; columns: number };
}

/** The host side of the guest's standard streams. */
export interface HostIo {
  readonly stdin: HostInput;
  stdout(bytes: Uint8Array): void;
  stderr(bytes: Uint8Array): void;
  /** Size of the terminal, when the streams are one. */
  windowSize?(): { rows: number; columns: number };
  /** The terminal itself, for a guest with one; without it input is read when the guest reads. */
  readonly terminal?: HostTerminal;
}

/** Streams in memory: input given at once, output collected. */
export class MemoryIo implements HostIo {
  readonly out: Uint8Array[] = [];
  readonly err: Uint8Array[] = [];
  readonly stdin: HostInput;

  constructor(input: Uint8Array = new Uint8Array()) {
    let at = 0;
    this.stdin = {
      read: (maxBytes) => {
        const part = input.subarray(at, at + maxBytes);
        at += part.length;
        return part;
      },
    };
  }

  stdout(bytes: Uint8Array): void {
    this.out.push(bytes.slice());
  }

  stderr(bytes: Uint8Array): void {
    this.err.push(bytes.slice());
  }

  /** Everything written to a stream so far. */
  text(stream: "out" | "err"): string {
    return new TextDecoder().decode(concat(this[stream]));
  }
}

/** One array of several, in order. */
export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
