#!/usr/bin/env bash
# Each fuzz target runs some seconds (where there is a C++ compiler)
# limit: 900
source "$(dirname "$0")/../environment.sh"
CARGO_TARGET_DIR=$target/fuzz fuzz/run.sh 5
