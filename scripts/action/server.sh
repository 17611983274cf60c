# shellcheck shell=bash
# The server that is probed: starting it, waiting for it, and stopping it.

# The id of the command's process, which is also that of its process group; empty if none was started.
server=
# The command's exit code, once it has ended.
server_code=

# Runs the command in a process group of its own, with this log.
start_server() {
  local command="$1" folder="${2:-.}" log="$3"
  # With job control, bash gives each job its own process group.
  set -m
  (cd "$folder" && exec bash -c "$command") </dev/null >"$log" 2>&1 &
  server=$!
  set +m
}

# Whether the command has ended. Then server_code is set.
server_ended() {
  if [ -z "$server" ] || kill -0 "$server" 2>/dev/null; then
    return 1
  fi
  if [ -z "$server_code" ]; then
    server_code=0
    wait "$server" || server_code=$?
  fi
}

# Stops all processes that the command started: first politely, and after ten seconds by force.
stop_server() {
  if [ -z "$server" ]; then
    return 0
  fi
  kill -TERM -- "-$server" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 -- "-$server" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$server" 2>/dev/null || true
}

# Host and port of a URL, or of host:port, or of a port alone.
address_of() {
  local rest="$1" port=80
  case "$1" in
    http://*) rest="${1#http://}" ;;
    https://*) rest="${1#https://}" port=443 ;;
  esac
  rest="${rest%%[/?#]*}"
  rest="${rest##*@}"
  if [[ "$rest" =~ ^[0-9]+$ ]]; then
    rest="localhost:$rest"
  fi
  if [[ "$rest" =~ ^(.*):([0-9]+)$ ]]; then
    rest="${BASH_REMATCH[1]}" port="${BASH_REMATCH[2]}"
  fi
  rest="${rest#[}"
  echo "${rest%]} $port"
}

# Whether a URL is answered without an error, or something listens at an address.
is_answered() {
  local host port
  case "$1" in
    http://* | https://*) curl --fail --silent --location --max-time 5 --output /dev/null -- "$1" 2>/dev/null ;;
    *)
      read -r host port <<<"$(address_of "$1")"
      (exec 3<>"/dev/tcp/$host/$port") 2>/dev/null
      ;;
  esac
}

# Waits until a URL or an address is answered. Returns 1 after so many seconds, and 2 if the command fails before.
wait_for_server() {
  local what="$1" end=$((SECONDS + $2))
  while true; do
    # If it failed, whoever answers is another server.
    if server_ended && [ "$server_code" != 0 ]; then
      return 2
    fi
    if is_answered "$what"; then
      return 0
    fi
    if [ "$SECONDS" -ge "$end" ]; then
      return 1
    fi
    sleep 0.2
  done
}
