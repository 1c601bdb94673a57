// A program that starts processes which only compute, each so many instructions at its own nice value, and waits for all.
import { staticElf } from "./static-elf.ts";

export interface Cruncher {
  /** Millions of instructions. */
  readonly millions: number;
  readonly nice?: number;
  /** SCHED_FIFO (1) or SCHED_RR (2) with this priority. */
  readonly realtime?: readonly [policy: number, priority: number];
}

/** Two instructions a round. */
const ROUND = 2;

function cruncher({ millions, nice, realtime }: Cruncher, index: number): string {
  return `
child_${index}:
${nice === undefined ? "" : `  mov eax, 34\n  mov ebx, ${nice}\n  int 0x80\n`}
${realtime === undefined ? "" : `  mov dword [bss], ${realtime[1]}\n  mov eax, 156\n  xor ebx, ebx\n  mov ecx, ${realtime[0]}\n  mov edx, bss\n  int 0x80\n`}
  mov ecx, ${Math.round((millions * 1e6) / ROUND)}
spin_${index}:
  dec ecx
  jnz spin_${index}
  mov eax, 1
  mov ebx, ${index + 1}
  int 0x80
`;
}

/** The executable. */
export function crunchers(of: readonly Cruncher[]): Uint8Array {
  const start = of.map((_, index) => `  mov eax, 2\n  int 0x80\n  test eax, eax\n  jz near child_${index}\n`).join("");
  return staticElf(
    `${start}
  mov esi, ${of.length}
wait:
  mov eax, 7
  mov ebx, -1
  xor ecx, ecx
  xor edx, edx
  int 0x80
  dec esi
  jnz wait
  mov eax, 1
  xor ebx, ebx
  int 0x80
${of.map(cruncher).join("")}`,
    0x1000,
  );
}
