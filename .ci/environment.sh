# Sourced by each step: where things are, and how a step says that it cannot run here.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
# Tools of the workplace, not of the project: a step that needs one is skipped without it.
tools=$root/../shared/tools
target=${CARGO_TARGET_DIR:-$root/target}
export CARGO_TARGET_DIR=$target CARGO_TERM_COLOR=never CARGO_INCREMENTAL=0
# A run says of a commit the same thing every time. New cases are for whoever has time: `SCALE=50 cargo test --workspace`.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1129270608}

skip() { # REASON
  echo "skipped: $1"
  exit 77
}

need_tool() { # SCRIPT
  [ -x "$tools/$1" ] || skip "../shared/tools/$1 is not there"
}

# The command in README.md that follows the line `<!-- ci: NAME -->`, or DEFAULT. So that what people are told is what is checked.
readme_command() { # NAME DEFAULT
  local found
  found=$(awk -v mark="<!-- ci: $1 -->" '
    $0 == mark { marked = 1; next }
    marked && /^```/ { if (inside) exit; inside = 1; next }
    inside { print }' README.md | sed 's/ *#.*//')
  if [ -n "$found" ]; then
    echo "from README.md: $found" >&2
  else
    found=$2
    echo "README.md marks no command '$1'; taken instead: $found" >&2
  fi
  echo "$found"
}

# The release library, as the step `library` builds it.
library=$target/release/libstratalloc.so
build_library() { cargo build --quiet --release --package stratalloc-capi; }
