// The instruction mix: what the CPU counted per class, handed to the recorder whenever another task, ring or epoch begins.
import type { Cpu } from "../cpu/cpu.ts";
import type { TraceRecorder } from "./trace-recorder.ts";

export class MixCapture {
  readonly #cpu: Pick<Cpu, "mix">;
  readonly #recorder: TraceRecorder;
  #task = -1;
  #ring = 3;
  #epoch = 0;

  constructor(cpu: Pick<Cpu, "mix">, recorder: TraceRecorder) {
    this.#cpu = cpu;
    this.#recorder = recorder;
    cpu.mix.enabled = true;
    cpu.mix.flush();
  }

  /** Instructions from here on are those of `task`, whose program runs in `ring`. */
  running(task: number, ring: number): void {
    if (task === this.#task && ring === this.#ring) return;
    this.flush();
    this.#task = task;
    this.#ring = ring;
  }

  beginEpoch(epoch: number): void {
    this.flush();
    this.#epoch = epoch;
  }

  flush(): void {
    const { mix } = this.#cpu;
    mix.flush();
    const { counts } = mix;
    if (this.#task >= 0 && counts.some((count) => count > 0))
      this.#recorder.mix(this.#task, this.#epoch, this.#ring, counts);
  }
}
