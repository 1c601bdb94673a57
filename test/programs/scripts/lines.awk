#!/usr/bin/awk -f
{ n += NF } END { print NR, n }
