csi -s bench.scm
