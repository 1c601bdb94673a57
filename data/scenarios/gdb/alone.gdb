set startup-with-shell off
tbreak push
run
bt
tbreak mean
continue
bt
print *list
finish
info registers eip
set var total = 0
handle SIGUSR1 nostop noprint pass
tbreak on_signal
continue
bt 1
x/i $pc
tbreak exit
continue
