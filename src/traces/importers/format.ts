// What a format of another tool is to kmlab import: how its first lines look, how it is read, and what it cannot know.
import type { ABIS } from "../schema/enums.ts";
import type { Fidelity } from "../trace.ts";
import type { ImportedEvents } from "./events.ts";
import type { LineReader } from "./lines.ts";

/** What the user says of the files. */
export interface ReadOptions {
  /** Columns of a plain CSV, by what they hold. */
  readonly columns?: ReadonlyMap<string, string>;
  /** Names of calls by number, for sequences of another system's numbers. */
  readonly names?: readonly string[];
}

/** What reading found of a source's worth. */
export interface Findings {
  /** Of each kind of knowledge, how good it is; loss without what the common part counts itself. */
  readonly fidelity: Omit<Fidelity, "abi">;
  /** Which tool and options would know what this source does not. */
  readonly advice: readonly string[];
  /** Are its times times? */
  readonly timed: boolean;
  /** The sites of the places that events' `pointer` numbers; of the others nobody knows them. */
  readonly sites?: Uint8Array;
  /** Do whole files of the format end without a line feed? Else one that does is said to be cut, perhaps. */
  readonly unendedLines?: boolean;
  /** The ABI of programs that do not tell theirs, and whether the format fixes it. */
  readonly abi: { readonly otherwise: (typeof ABIS)[number]; readonly certain: boolean };
}

export interface ImportFormat {
  readonly id: string;
  /** What it is, for the help. */
  readonly is: string;
  /** How many of the first lines look like its lines. */
  recognise(lines: readonly string[]): number;
  read(files: readonly LineReader[], into: ImportedEvents, options: ReadOptions): Findings;
}
