# shellcheck shell=bash
# What the runner reads of the output: notes on the job, which GitHub calls annotations.

# A note of a kind (error, warning), with its text. What would end the line, or begin a code, is written as a code.
annotate() {
  local text="$2"
  text="${text//'%'/%25}"
  text="${text//$'\r'/%0D}"
  text="${text//$'\n'/%0A}"
  echo "::$1 title=holdup::$text"
}

# Ends the job with an error.
fail() {
  annotate error "$1"
  exit 1
}

# Prints a file that others wrote. A line in it that looks like a command is not obeyed by the runner.
print_file() {
  local token="holdup-$RANDOM$RANDOM$RANDOM"
  if [ ! -s "$1" ]; then
    return 0
  fi
  echo "::stop-commands::$token"
  cat "$1"
  # The file may end within a line.
  echo
  echo "::$token::"
}
