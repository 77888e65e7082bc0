#!/usr/bin/env bash
# The documentation builds without a warning, private items too; public items have examples
# limit: 600
source "$(dirname "$0")/../environment.sh"
export RUSTDOCFLAGS="-D warnings"
status=0
cargo doc --quiet --keep-going --workspace --no-deps || status=1
cargo doc --quiet --keep-going --workspace --no-deps --document-private-items || status=1
# Every public item of the libraries has an example, or links to one that shows it.
cargo xtask examples || status=1
# The README is the front page of the documentation, too. Every link there leads to a file: of the documentation, or of the
# tree, for which the page stands three folders below the root.
pages=$target/doc/stratalloc
followed=0
while read -r link; do
  case $link in
    '' | http* | *'$'*) continue ;; # none, elsewhere, a script's
    ../../../*) file=$root/${link#../../../} followed=$((followed + 1)) ;;
    *) file=$pages/$link ;;
  esac
  [ -e "$file" ] || { echo "dead link in $pages/index.html: $link"; status=1; }
done < <(grep -o 'href="[^"]*"' "$pages/index.html" | sed 's/^href="//; s/"$//; s/[#?].*//' | sort -u)
[ "$followed" -ge 10 ] || { echo "only $followed links into the tree are found in $pages/index.html"; status=1; }
exit $status
