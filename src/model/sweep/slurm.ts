// A sweep's shards as a Slurm job array: the script, and the numbers of an array.

export interface SlurmJob {
  readonly name: string;
  /** The command of one shard, word by word, without --shard. */
  readonly words: readonly string[];
  readonly shards: number;
  readonly threads: number;
  /** Where each shard's output goes; %a is its number. */
  readonly log: string;
}

/** A word as the shell reads it back. */
export function quoted(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

/** What sbatch is given. What a site needs besides (partition, time limit, account) sbatch takes from its own SBATCH_... variables. */
export function slurmScript({ name, words, shards, threads, log }: SlurmJob): string {
  return `#!/bin/sh
#SBATCH --job-name=${quoted(`kmlab-${name}`)}
#SBATCH --array=1-${shards}
#SBATCH --ntasks=1
#SBATCH --cpus-per-task=${threads}
#SBATCH --output=${quoted(log)}
exec ${words.map(quoted).join(" ")} --shard "$SLURM_ARRAY_TASK_ID/${shards}"
`;
}

/** 1,2,3,7 -> 1-3,7. */
export function ranges(numbers: readonly number[]): string {
  const found: [number, number][] = [];
  for (const number of numbers) {
    const last = found.at(-1);
    if (last !== undefined && last[1] === number - 1) last[1] = number;
    else found.push([number, number]);
  }
  return found.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
