chezscheme --script bench.scm
