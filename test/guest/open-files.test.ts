// Files, pipes, sockets and address spaces are given back: by programs that share, send and lose them in every way there is. The count is
// not the kernel's own (open-files.ts), and it finds what is kept.
import { describe, expect, it } from "vitest";
import { MemoryIo } from "../../src/emu/host.ts";
import type { File } from "../../src/emu/kernel/fs/file.ts";
import { type RunOptions, runProgram } from "../../src/emu/run.ts";
import { baseRoot } from "../programs/suite.ts";
import { kept, type Ledger, noting } from "./open-files.ts";

const PROGRAMS: Readonly<Record<string, string>> = {
  "a web server and its customers":
    "busybox httpd -p 8080 -h /etc; for i in 1 2 3; do busybox wget -q -O - http://127.0.0.1:8080/passwd | head -c 4; done",
  "FIFOs and background jobs":
    "mkfifo /tmp/f; cat /etc/passwd > /tmp/f & read x < /tmp/f; (sleep 9 < /tmp/f) & kill $!; wait; echo $x",
  "here documents and descriptors opened again":
    'exec 3<<E 4>/tmp/x\nhello\nE\nread a <&3; echo "$a" >&4; exec 5>&4 4>&-; rm /tmp/x; echo "$a" >&5; cat /proc/self/fd/5',
  "what is killed in the middle":
    "yes | head -c 30000 | wc -c; (ls -lR /usr/lib | sort | tail -1) & sleep 0.05; kill $!; wait",
  "programs that cannot be run":
    "/etc/passwd; echo '#!/nowhere' > /tmp/s; chmod +x /tmp/s; /tmp/s; head -c 80 /bin/ls > /tmp/t; chmod +x /tmp/t; /tmp/t; echo $?",
  "threads, mappings and temporary files":
    "seq 20000 | sort --parallel=2 -S 64k -r | tail -1; grep -c root /etc/passwd",
};

describe("nothing is kept", async () => {
  const image = await baseRoot("programs that open files");
  if (image === undefined) return;
  const run = (script: string, options: Partial<RunOptions>, end?: (open: Ledger["open"]) => void) => {
    const host = new MemoryIo();
    const { result, ledger } = noting(() => runProgram({ image, argv: ["sh", "-c", script], host, ...options }));
    end?.(ledger.open);
    return { text: host.text("out"), wrong: kept(result.kernel, ledger) };
  };

  it.each(Object.entries(PROGRAMS))("%s", (_, script) => {
    const outputs = ([3, 0] as const).map((ring) => {
      const { text, wrong } = run(script, { ring, memoryMiB: 32 });
      expect(wrong).toEqual([]);
      return text;
    });
    expect(outputs[0]).toBe(outputs[1]);
    expect(outputs[0]).toMatch(/\S/);
  });

  it("a file that somebody forgets to let go of is found", () => {
    const forget = (open: ReadonlySet<File>) => {
      const [file] = open;
      file.get();
    };
    expect(run("sleep 9 > /tmp/x &", { ring: 3 }, forget).wrong).toEqual([
      expect.stringMatching(/^holders of .*: \d+, not \d+$/),
    ]);
  });
});
