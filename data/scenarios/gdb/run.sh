# What is debugged is named by its path, so that it runs in ring 3 whatever ring gdb is in, but for the last.
set -e
mkdir -p /tmp/g && cd /tmp/g
cp /w/*.c .
gcc -g -O0 -fno-pie -c prog.c
gcc -no-pie -o prog prog.o
gcc -static -o alone prog.o
gcc -g -O0 -no-pie -o threads threads.c
debug() {
  gdb -nx -batch -iex "set width 0" -iex "set print address off" "$@" 2>&1 | sed '
    /^\[New /d; /^\[Thread .* exited\]/d; /^\[Switching/d; /^warning: target file/d
    s/(process [0-9]*)/(process N)/; s/LWP [0-9]*/LWP N/; s/Thread 0x[0-9a-f]*/Thread T/g; s/Target Id  */Target Id /; s/^0x[0-9a-f]* in __kernel_vsyscall/__kernel_vsyscall/'
}

echo "a program from its start to its end"
debug -x /w/look.gdb ./prog
echo "what it catches, and where it dies"
debug -x /w/catch.gdb ./prog
echo "threads"
debug -x /w/threads.gdb ./threads
echo "a process that runs"
./prog wait > said &
waiting=$!
until grep -q waiting said; do sleep 0.1; done
debug -p $waiting -x /w/attach.gdb
wait $waiting
cat said
echo "a program in the ring of the others"
debug -x /w/alone.gdb ${PATH%%/usr*}/tmp/g/alone
