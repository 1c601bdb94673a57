// Runs the actor on the host's own kernel: in a process, mount, IPC and network name space of its own, in a root with nothing else in it.
import { spawnSync } from "node:child_process";
import { chmodSync, cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { InputError } from "../../../src/errors.ts";
import { ACTOR, type Performance } from "./perform.ts";

const TIME_LIMIT_SECONDS = 20;

/** Where actors perform natively. */
export class NativeStage {
  private readonly root: string;

  /** @throws InputError when not root, or i386 programs do not run here */
  constructor() {
    if (process.getuid?.() !== 0) throw new InputError("native runs need root (name spaces); run this as root");
    this.root = mkdtempSync(join(tmpdir(), "kmlab-actor-"));
    for (const name of ["bin", "proc", "tmp"]) mkdirSync(join(this.root, name));
    cpSync(ACTOR, join(this.root, "bin/actor"));
    chmodSync(join(this.root, "bin/actor"), 0o755);
    const { status } = this.perform("@0\nv 7\n");
    if (status === 0) return;
    this.close();
    throw new InputError("this host's kernel does not run i386 programs, or has no name spaces; native runs need both");
  }

  /** What an actor does with a script. */
  perform(script: string): Performance {
    rmSync(join(this.root, "tmp"), { recursive: true });
    mkdirSync(join(this.root, "tmp"));
    // The shell is the name space's first process, for which signals are not what they are for others.
    const inside = `ip link set lo up; chroot ${this.root} /bin/actor "$1"; exit $?`;
    const ran = spawnSync(
      "timeout",
      ["-s", "KILL", `${TIME_LIMIT_SECONDS}`, "unshare", "-imnp", "--fork", "--kill-child"].concat([
        `--mount-proc=${this.root}/proc`,
        "sh",
        "-c",
        inside,
        "sh",
        script,
      ]),
      { stdio: ["ignore", "pipe", "ignore"], encoding: "utf8", env: { PATH: process.env["PATH"] } },
    );
    return { status: ran.status ?? 255, out: ran.stdout };
  }

  close(): void {
    rmSync(this.root, { recursive: true, force: true });
  }
}
