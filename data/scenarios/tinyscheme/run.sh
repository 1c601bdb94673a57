tinyscheme bench.scm
