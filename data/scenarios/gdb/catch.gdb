break on_signal
rwatch caught
catch syscall exit_group
run crash
bt -2
continue
print caught
continue
delete
continue
bt
print list->next->next->next
x/s list->name
print $_siginfo.si_signo
info line
kill
