# One real program inside a machine, for vm_inside.sh: what it says, and its status at the end.
#   vm_program.sh NAME LIBRARY WORK     NAME is a function of programs.sh beside this; LIBRARY may be empty
program=$1 library=$2 work=$3
. "${0%/*}/programs.sh"
pre() { env ${library:+LD_PRELOAD="$library"} "$@"; }
$program
echo "status $?"
