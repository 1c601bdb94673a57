#!/bin/sh
echo "hello from $0 with $# words:" "$@"
exit 3
