break work
commands
silent
printf "thread %d: n is %d\n", $_thread, *(int *)part
continue
end
tbreak threads.c:10
run
info threads
thread apply all bt -1
continue
