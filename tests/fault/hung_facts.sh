#!/bin/sh
# SPDX-License-Identifier: MIT
#
# Deadlines and the end of a run are built on what the kernel does with ops that hang: see hung_ops.c
# and hung_ends.c, one of which is the fifth argument, and what follows are options of faultfs.
. "$(dirname "$0")/common.sh"

program=$5
fault_start m "${6-}"
mkdir healthy
"$programs/$program" m m.back m.socket healthy
