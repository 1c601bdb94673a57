// A bar of runs on standard error, if that is a terminal.
import process from "node:process";
import cliProgress from "cli-progress";

export interface RunsBar {
  readonly at: (done: number, of: number) => void;
  readonly end: () => void;
}

/** Undefined where there is no terminal. It is drawn from the first run on. */
export function runsBar(): RunsBar | undefined {
  if (!process.stderr.isTTY) return undefined;
  const bar = new cliProgress.SingleBar({
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    format: "{bar} {value} of {total} runs, {eta_formatted} left",
  });
  let running = false;
  return {
    at(done, of) {
      if (!running) {
        running = true;
        bar.start(of, done);
        return;
      }
      bar.setTotal(of);
      bar.update(done);
    },
    end() {
      if (running) bar.stop();
      running = false;
    },
  };
}
