set print frame-arguments scalars
break push if weight == 50
run
bt
info locals
print *list
ptype struct node
finish
delete
watch total
continue
print total
delete
tbreak fib
continue
bt
up
info registers eip
down
stepi
stepi
x/3i $pc
print $eip
step
step
print fib(10)
tbreak mean
continue
next
next
next
print sum
set var sum = 1000
display count
next
next
undisplay 1
finish
handle SIGUSR1 stop print nopass
continue
bt -3
signal SIGUSR1
