// Where a trace's files live, seen from the browser-clean core: a sink to write one to, a source to read one from.
import { InputError } from "../errors.ts";
import { type Hasher, plainSha256 } from "../sha256.ts";

/** One file being written; the store compresses what ends in .gz. */
export interface FileSink {
  write(bytes: Uint8Array): void;
  close(): void;
}

export interface TraceSink {
  file(path: string): FileSink;
  hasher(): Hasher;
  /** As TraceSource's. */
  stamp(path: string): string;
  /** A file for the columnar cache, if one is to be made while the trace is written. */
  cache?(): FileSink;
  /** All files are closed: give the trace its name. */
  commit(): void;
  /** Something failed: leave nothing behind. */
  abort(): void;
}

export interface TraceSource {
  /** How messages name it. */
  readonly label: string;
  /** The whole text of a small file; undefined when it is not there. */
  text(path: string, maxBytes: number): string | undefined;
  /**
   * The uncompressed bytes of a file in pieces, at most `maxBytes` of them.
   * Throws MissingFile, BrokenFile (not gzip, cut off, or longer than maxBytes).
   */
  pieces(path: string, maxBytes: number): Iterable<Uint8Array>;
  hasher(): Hasher;
  /** A text that changes when the file does (size and time), "" when that cannot be told. */
  stamp(path: string): string;
  /** The columnar cache, if the host keeps one. */
  readonly cache?: CacheFile;
}

/** One file of bytes that may be read in parts. */
export interface CacheFile {
  /** Bytes of it; 0 when there is none. */
  size(): number;
  /** Bytes [offset, offset+length), or undefined when they are not there. */
  read(offset: number, length: number): Uint8Array | undefined;
  /** Replaces the file by what `fill` puts; silently does nothing where that is not allowed. */
  replace(fill: (put: (bytes: Uint8Array) => void) => void): void;
}

/** A file named by the package is not there. */
export class MissingFile extends Error {}
/** A file's bytes are not what they should be; the message says how, in words for the user. */
export class BrokenFile extends Error {}

/** A trace in memory, by path, uncompressed: for tests and for browsers that unpack what was dropped on the page. */
export class MemoryStore implements TraceSink, TraceSource {
  readonly label: string;
  readonly files = new Map<string, Uint8Array>();
  readonly hasher = plainSha256;

  constructor(label = "trace") {
    this.label = label;
  }

  file(path: string): FileSink {
    const parts: Uint8Array[] = [];
    return {
      write: (bytes) => void parts.push(bytes.slice()),
      close: () => void this.files.set(path, join(parts)),
    };
  }

  commit(): void {}

  abort(): void {
    this.files.clear();
  }

  text(path: string, maxBytes: number): string | undefined {
    const bytes = this.files.get(path);
    if (bytes === undefined) return undefined;
    if (bytes.length > maxBytes) throw new InputError(`${this.label}: ${path} is larger than ${maxBytes} bytes`);
    return new TextDecoder().decode(bytes);
  }

  *pieces(path: string, maxBytes: number): Iterable<Uint8Array> {
    const bytes = this.files.get(path);
    if (bytes === undefined) throw new MissingFile();
    if (bytes.length > maxBytes)
      throw new BrokenFile(`it holds more than the ${maxBytes} bytes that datapackage.json says`);
    yield* slices(bytes);
  }

  stamp(): string {
    return "";
  }
}

/** Views of at most 1 MiB. */
export function* slices(bytes: Uint8Array): Iterable<Uint8Array> {
  for (let at = 0; at < bytes.length; at += 1 << 20) yield bytes.subarray(at, at + (1 << 20));
}

export function join(parts: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
