# Sourced by run.sh: a summary is left by each way to end, once, and by nobody who shares another process's memory.

# whole FILE: it has its first and its last line, and knows most of the 50 blocks that ends.c allocated (a few lie with a larger class).
whole() {
    [ "$(head -n 1 "$1")" = "version 1" ] && tail -n 1 "$1" | grep -qE '^huge_page_chunks [0-9]+$' &&
        awk '$1 ~ /^class\.[0-9]+\.live$/ && $2 >= 40 { found = 1 } END { exit !found }' "$1"
}
# ends WAY STATUS SUMMARIES [VARIABLE=VALUE…]: how ./ends ends, and how many whole summaries are there afterwards.
ends() {
    way=$1 want=$2 count=$3
    shift 3
    rm -rf ended && mkdir ended || return 1
    timeout 20 env "$@" STRATALLOC_SUMMARY="$work/ended/summary" LD_PRELOAD="$library${late:+:$late}" ./ends "$way" 2>said
    status=$?
    cat said
    echo "$way: status $status, left: $(ls ended | tr '\n' ' ')"
    [ $status -eq "$want" ] && [ "$(ls ended | wc -l)" -eq "$count" ] || return 1
    for file in ended/*; do
        [ "$count" -eq 0 ] || whole "$file" || { cat "$file"; return 1; }
    done
}
for way in return exit _exit _Exit quick_exit thread small-stack; do
    expect "a summary after $way" ends $way 7 1
done
expect "a summary after the last thread's pthread_exit" ends pthread_exit 0 1
expect "no summary of vfork children, and the parent's is whole" ends vfork 7 1
expect "a forked child that calls _exit leaves one, too" ends fork-_exit 7 2
expect "… and by quick_exit" ends fork-quick_exit 7 2
expect "… and by exit, where the parent calls _exit" ends fork-exit 7 2
for way in term:143 segv:139 exit_group:7; do
    expect "no summary, and the status of ${way%:*}" ends "${way%:*}" "${way#*:}" 0
done
# Not a child of this shell: of timeout.
for way in _exit quick_exit fork-_exit; do
    expect "no summary of the unobserved after $way" ends $way 7 0 STRATALLOC_ONLY_CHILD_OF=$$
done
observed_child_alone() {
    rm -rf ended && mkdir ended || return 1
    env STRATALLOC_ONLY_CHILD_OF=$$ STRATALLOC_SUMMARY="$work/ended/summary" LD_PRELOAD="$library" ./ends "$1"
    [ $? -eq 7 ] && [ "$(ls ended | wc -l)" -eq 1 ] && whole ended/*
}
for way in _exit fork-_exit fork-quick_exit; do
    expect "the observed process alone leaves one after $way" observed_child_alone $way
done
# The file is a link to a pipe, which forgets nothing: every writing is seen.
written_once() {
    late=$2
    rm -rf ended && mkdir ended || return 1
    env STRATALLOC_SUMMARY="$work/ended/summary" \
        sh -c 'ln -s /dev/stderr "ended/summary.$$"; LD_PRELOAD=$0 exec ./ends "$1"' \
        "$library${late:+:$late}" "$1" 2>&1 >/dev/null | cat >said
    late=""
    head -n 3 said
    grep -c '^version 1$' said | grep -qx 1
}
late=""
for way in exit _exit quick_exit _exit-in-exit; do
    expect "written once by $way" written_once $way ""
done
expect "written once by exit and a later destructor's _exit" written_once exit "$work/late_end.so"
late_status() {
    late=$work/late_end.so
    ends exit 7 1
    status=$?
    late=""
    return $status
}
expect "the later destructor decides the status" late_status
# An exec replaces the process before its end; the summary is the last program's.
after_exec() {
    ends exec 0 0 STRATALLOC_ONLY_CHILD_OF=1 || return 1
    env STRATALLOC_SUMMARY="$work/ended/summary" LD_PRELOAD="$library" ./ends exec && grep -x 'program true' ended/*
}
expect "after exec the last program speaks" after_exec
