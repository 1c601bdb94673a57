// What a terminal asks of its other side: the host's terminal (console.ts) or a master (pty.ts).

/** The other side of a terminal. */
export interface TtyDriver {
  /** Takes output; who writes asks for room first, echo does not. */
  write(bytes: Uint8Array): void;
  /** Bytes that it takes without anybody waiting. */
  readonly room: number;
  /** Bytes that have not been taken from it. */
  readonly pending: number;
  /** Drops output that nobody has taken. */
  flush(): void;
  /** Somebody is about to read: takes in what there is, if it comes only so. False: nothing will come. */
  fetch?(): boolean;
  /** A file is opened on the terminal. @returns 0 or -errno */
  opened?(): number;
  /** The last one is closed. */
  closed?(): void;
}
