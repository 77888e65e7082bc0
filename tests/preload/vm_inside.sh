# What runs inside the machine of vm.sh, which copies this and puts in front of it:
#   before     a preparation        out, torture   the folder of the torture programs, and their names
#   so         the library, or nothing   script, staged   the folder with programs.sh, and the names in it
#   scale, patience
# Every program has a session of its own, so that one that takes too long is ended with all of its children. That is a failure.
export PATH=/bin:/usr/bin:/usr/local/bin
failed="" ok=0 skipped=0 took=""
mkdir -p /dev/shm
shell=$(readlink /proc/$$/exe)

uptime() { cut -d. -f1 /proc/uptime; }
# GROUP: where the threads of its processes wait.
threads() {
  for process in /proc/[0-9]*; do
    [ "$(sed 's/.*) //' "$process/stat" | cut -d' ' -f3)" = "$1" ] || continue
    for t in $(ls -d "$process"/task/* | head -n 40); do
      echo "      $(basename "$t") $(cut -d' ' -f2,3,14,15 "$t/stat") in $(cat "$t/wchan"): $(cat "$t/syscall")"
    done
  done
}
# NAME GROUP…: waits for the groups' first processes and ends what takes too long; `status` is that of the last one, or "hung".
await() {
  name=$1 since=$(uptime)
  shift
  rm -f /tmp/hung
  (
    trap 'kill $sleeper; exit' TERM
    sleep "$patience" & sleeper=$!
    wait $sleeper
    : >/tmp/hung
    echo "    $name: after $patience s"
    for group; do threads "$group"; kill -9 -"$group"; done
  ) 2>/dev/null & guard=$!
  for group; do wait "$group"; status=$?; done 2>/dev/null
  kill $guard 2>/dev/null; wait $guard 2>/dev/null
  [ ! -e /tmp/hung ] || status=hung
  took="$took $name $(($(uptime) - since)) s,"
}

torture_program() {
  # The library is set for the program alone: a broken one must not take busybox with it.
  setsid env SCALE="$scale" ${so:+LD_PRELOAD="$so"} "$out/$1" & run=$!
  await "$1" $run
  case $status in
    0) ok=$((ok + 1)) ;;
    77) skipped=$((skipped + 1)) ;;
    *) echo "    $1: status $status"; failed="$failed $1" ;;
  esac
}

# Prints the process that runs a real program, with what is preloaded, its output beside its folder.
start() { # NAME LIBRARY WORK
  mkdir -p "$3"
  setsid "$shell" "$script/vm_program.sh" "$1" "$2" "$3" >"$3.out" 2>&1 &
}
# Without and with the library, at the same time; equal output is what counts, and that there is some. Without a library: that it works.
real_program() {
  start "$1" "" "/tmp/$1" && plain=$! with=""
  [ -z "$so" ] || { start "$1" "$so" "/tmp/$1.preloaded" && with=$!; }
  await "$1" $plain $with
  if [ "$status" = hung ]; then
    echo "    $1: takes too long"; failed="$failed $1"
  elif ! grep -q "^status 0" "/tmp/$1.out"; then
    skipped=$((skipped + 1)); echo "    $1: does not work here without the library: $(tail -n 2 "/tmp/$1.out" | tr '\n' ' ')"
  elif [ -z "$so" ] || cmp -s "/tmp/$1.out" "/tmp/$1.preloaded.out"; then
    ok=$((ok + 1))
  else
    echo "    $1: other output"; diff "/tmp/$1.out" "/tmp/$1.preloaded.out" | head -n 20; failed="$failed $1"
  fi
  rm -rf "/tmp/$1" "/tmp/$1".*
}

eval "$before"
# Once here, since it makes links: each program sources it again, and two at the same time would both find none.
. "$script/programs.sh"
for p in $torture; do torture_program "$p"; done
for p in $staged; do real_program "$p"; done
echo "   $took"
echo "$ok passed, $skipped skipped, failed:${failed:- none}"
[ -z "$failed" ]
