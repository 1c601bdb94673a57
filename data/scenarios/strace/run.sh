# Programs are named by their paths: what is traced runs in ring 3 whatever ring strace is in, as direct calls show a tracer their ends only.
set -e
mkdir -p /tmp/s && cd /tmp/s
printf 'pear\napple\nfig\n' > fruit

echo "one program"
strace -o one -e trace=execve,openat,read,write,close,statx,fadvise64_64,exit_group -e signal=all /bin/cat fruit
sed '/ENOENT/d; s/0x[0-9a-f]*/ADDRESS/' one

echo "-f: a shell, its children, and what passes between them"
strace -ff -o many -e trace=execve,pipe2,pipe,dup2,read,write,wait4,waitpid,exit_group -e signal=none -s 200 \
  /bin/sh -c '/usr/bin/sort fruit | /usr/bin/tr a-z A-Z; exit 3' || echo "status $?"
pids=$(ls many.* | sed 's/many\.//' | sort -n)
number=0
rules=
for pid in $pids; do
  number=$((number + 1))
  rules="$rules;s/\\b$pid\\b/PID$number/g"
done
for pid in $pids; do
  echo "task"
  sed "s/0x[0-9a-f]*/ADDRESS/g; /ELF/d $rules" many.$pid
done

echo "-c: counts"
strace -c -o counts /bin/cat fruit fruit > /dev/null
awk 'NF == 5 && $1 ~ /^[0-9]/ && $5 != "rseq" { print $5, $4 }' counts | sort

echo "-p: a process that runs"
mkfifo requests
/bin/sh -c 'while read word; do echo "got $word"; done; echo end' < requests > answers &
server=$!
exec 5> requests
strace -p $server -o later -e trace=read,write,exit_group 2> attached &
tracer=$!
until grep -q attached attached; do sleep 0.1; done
echo first >&5
until grep -q first answers; do sleep 0.1; done
kill -INT $tracer
wait $tracer || echo "strace ended with $?"
grep TracerPid /proc/$server/status
echo second >&5
exec 5>&-
wait $server
cat answers
sed -n 's/^\(strace: Process \)[0-9]*/\1N/p' attached
cat later

echo "signals"
strace -o signals -e trace=none /bin/sh -c 'trap "echo caught" USR1; kill -USR1 $$; kill -TERM $$' || echo "status $?"
sed 's/si_pid=[0-9]*/si_pid=N/' signals

echo "a fault"
strace -o fault -P fruit -e trace=openat,read -e inject=openat:error=EACCES /bin/cat fruit 2>&1 || echo "status $?"
cat fault

echo "a signal at a call, and what a call returns"
strace -o poked -e trace=getcwd -e inject=getcwd:signal=TERM /bin/pwd || echo "status $?"
sed 's/si_pid=[0-9]*/si_pid=N/' poked
strace -o told -e trace=getuid32,geteuid32 -e inject=geteuid32:retval=77 /usr/bin/id -u
cat told
