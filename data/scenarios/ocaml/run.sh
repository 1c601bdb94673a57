set -e
mkdir /tmp/o && cd /tmp/o && cp /w/queens.ml .
ocaml queens.ml
ocamlc -o bytecode queens.ml && ./bytecode
ocamlopt -o native queens.ml && ./native
