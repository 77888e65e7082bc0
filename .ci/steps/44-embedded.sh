#!/usr/bin/env bash
# The example for a microcontroller: built for a Cortex-M4, run in the emulator, its output checked and its size measured
# limit: 600
source "$(dirname "$0")/../environment.sh"
bash examples/embedded/run.sh
