up
bt -2
tbreak prog.c:52
continue
print mode
set var total = 4711
set var waiting = 0
detach
