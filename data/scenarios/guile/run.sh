/usr/lib/i386-linux-gnu/guile/3.0/bin/guile --no-auto-compile bench.scm
