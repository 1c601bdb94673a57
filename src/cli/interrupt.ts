// Ctrl-C during long work that never waits: Node's own handlers are asked only when it does.
import process from "node:process";
import { runInNewContext } from "node:vm";

/** Does `job`, which SIGINT stops wherever it is; then `clean` removes what it left, and the process ends with 130. */
export function interruptible<T>(job: () => T, clean: () => void): T {
  try {
    return runInNewContext("job()", { job }, { breakOnSigint: true }) as T;
  } catch (error) {
    if ((error as NodeJS.ErrnoException | undefined)?.code !== "ERR_SCRIPT_EXECUTION_INTERRUPTED") throw error;
    clean();
    process.exit(130);
  }
}
