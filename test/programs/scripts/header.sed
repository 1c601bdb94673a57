#!/bin/sed -f
1s/^/# /
$s/$/ ./
