import asyncio, hashlib, json, os, re, select, signal, socket, sqlite3, subprocess, sys, tempfile, threading

def files():
    with tempfile.TemporaryDirectory() as d:
        for i in range(20):
            with open(os.path.join(d, f"f{i}"), "w") as f:
                f.write("line %d\n" % i * (i + 1))
        print("files", len(os.listdir(d)), sum(e.stat().st_size for e in os.scandir(d)))
        os.rename(os.path.join(d, "f0"), os.path.join(d, "g"))
        print("walk", [sorted(n)[:3] for _, _, n in os.walk(d)])

def processes():
    out = subprocess.run(["sh", "-c", "echo out; echo err >&2; exit 3"], capture_output=True, text=True)
    print("run", out.returncode, out.stdout.strip(), out.stderr.strip())
    p = subprocess.Popen(["sort", "-r"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    print("pipe", p.communicate(b"a\nc\nb\n")[0].split())
    pid = os.fork()
    if pid == 0:
        os._exit(7)
    print("fork", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))

def sockets():
    server = socket.create_server(("127.0.0.1", 0))
    def serve():
        for _ in range(5):
            c, _ = server.accept()
            with c:
                data = c.recv(100)
                c.sendall(data.upper())
    t = threading.Thread(target=serve)
    t.start()
    for i in range(5):
        with socket.create_connection(server.getsockname()) as c:
            c.sendall(b"hello %d" % i)
            print("tcp", c.recv(100))
    t.join()
    a, b = socket.socketpair()
    a.send(b"x")
    print("select", [s is b for s in select.select([a, b], [], [], 1)[0]])

def threads():
    total, lock = [0], threading.Lock()
    def add():
        for _ in range(500):
            with lock:
                total[0] += 1
    ts = [threading.Thread(target=add) for _ in range(8)]
    for t in ts: t.start()
    for t in ts: t.join()
    print("threads", total[0])

def signals():
    got = []
    signal.signal(signal.SIGUSR1, lambda n, _: got.append(n))
    signal.signal(signal.SIGALRM, lambda n, _: got.append(n))
    os.kill(os.getpid(), signal.SIGUSR1)
    signal.setitimer(signal.ITIMER_REAL, 0.01)
    signal.pause()
    print("signals", got)

def databases():
    db = sqlite3.connect(":memory:")
    db.execute("create table t (a integer, b text)")
    db.executemany("insert into t values (?, ?)", [(i, str(i % 7)) for i in range(500)])
    print("sqlite", db.execute("select b, sum(a) from t group by b order by b").fetchall()[:3])

async def main():
    async def work(i):
        await asyncio.sleep(0.01 * (3 - i))
        return i
    print("asyncio", await asyncio.gather(*[work(i) for i in range(3)]))
    p = await asyncio.create_subprocess_exec("echo", "from a child", stdout=subprocess.PIPE)
    print("child", (await p.communicate())[0])

files(); processes(); sockets(); threads(); signals(); databases()
asyncio.run(main())
print("json", json.dumps({"b": [1, 2.5, None], "a": "ü"}, sort_keys=True))
print("sha256", hashlib.sha256(b"kernel mode linux" * 1000).hexdigest()[:16])
print("re", re.findall(r"(\w)\1", "aabbcdee"), 2 ** 200 % 10 ** 9, sum(x * 0.1 for x in range(1000)))
print("argv", sys.argv, sys.byteorder)
