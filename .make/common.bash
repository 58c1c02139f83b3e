# What the scripts of this folder share; they source it.

# Prints a text for a person, folded to the width of a page. Lines that begin
# with a space are commands or lists and stay as they are.
say() {
  local line
  while IFS= read -r line; do
    if [[ $line != " "* ]]; then line=$(fold -s -w 80 <<<"$line"); fi
    printf '%s\n' "$line"
  done <<<"$*" | sed 's/ *$//' >&2
}

# Says why nothing can be done, and ends with 2: 1 means that something has
# been tried and is wrong.
fail() {
  say "$@"
  exit 2
}

# Runs a command and keeps what it prints in $output. Somebody who watches a
# terminal meanwhile sees its last line.
quietly() {
  if [[ ! -t 2 ]]; then
    output=$("$@" 2>&1)
    return
  fi
  local line
  output=
  while IFS= read -r line || [[ -n $line ]]; do
    output+=$line$'\n'
    [[ $line == ninja:* ]] || printf '\r\e[K%.79s' "$line" >&2
  done < <("$@" 2>&1)
  printf '\r\e[K' >&2
  wait $!
}

# named KIND VARIABLE: prints the name of the lesson or exercise that VARIABLE
# holds: "1" and "01" both mean 01_unary, as does its whole name. If there is no
# such one, says which there are, and ends with 2.
named() {
  local kind=$1 wanted=${!2-} readme name known=
  for readme in "$kind"s/*/README.md; do
    name=${readme#*/}
    name=${name%/*}
    case $name in
      "$wanted" | "$wanted"_* | "0$wanted"_*)
        echo "$name"
        return
        ;;
    esac
    known+=$'\n'"  $2=${name%%_*}  $name"
  done
  if [[ -z $wanted ]]; then fail "Which $kind? There are:$known"; fi
  fail "There is no $kind \"$wanted\". There are:$known"
}

# Makes sure that there is a build folder that can be written to.
writable_build_folder() {
  if [[ -d build ]] || mkdir build 2>/dev/null; then
    if [[ -w build ]]; then return; fi
  fi
  fail "The build folder, $PWD/build, cannot be written to. Make it writable" \
    "(chmod -R u+w build), or use a copy of the workshop that is yours."
}

# become PROGRAM ARGUMENT...: runs the grader or the coach in place of this
# script, built first if need be: with the arguments, and for the exercise E if
# that is set. An empty E is a mistake that the program explains, and not all
# exercises.
become() {
  .make/setup
  .make/build dev "$1"
  local command=("build/tests/grader/$1" "${@:2}" --root . --build build)
  if [[ -v E ]]; then command+=(--exercise "$E"); fi
  if [[ -n ${SEED-} ]]; then command+=(--seed "$SEED"); fi
  exec "${command[@]}"
}
