#!/usr/bin/env bash
# up.sh: a whole Hookline of this checkout's own, left running to be tried: broker, database, console and dispatcher.
#
#   up.sh up              starts what does not run yet; prints where the console is, how to sign in, and what to try
#   up.sh down [--wipe]   stops what it started, and the services if it started them; --wipe also deletes keys, token and
#                         logs, and with services that it started all their data: the database and what is in the queues
#   up.sh status          says what runs; exit 0 if both programs are ready
#
# With DEMO=1 a small booking day runs as well (examples/booking-day): companies whose receivers are well, slow or broken, and
# bookings, with retries after seconds instead of minutes, so that the dashboard has something to show at once.
#
# The programs are the debug build, or the release build with RELEASE=1. They listen on 127.0.0.1 alone, on ports of the
# checkout's own block (services.sh). Master key and token are made once, in .local/up/, and only this user can read them.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

UP=$STATE/up
PROGRAMS=(hookline-console hookline-dispatcher)
DAY=booking-day
# Where services.sh has left room in its block: behind the services' own eleven ports.
declare -A OFFSETS=([hookline-console]=12 [hookline-dispatcher]=13 [$DAY]=14)
READY_WITHIN=90   # seconds; on an idle machine it takes one or two
STOPPED_WITHIN=60 # a dispatcher may wait 42 for requests in flight

base() { sed -n 's/^base=\([0-9]\{1,5\}\)$/\1/p' "$STATE/services.env" 2>/dev/null || true; }
port_of() { echo "$(($(base) + OFFSETS[$1]))"; }
log_of() { echo "$UP/${1#hookline-}.log"; }

lock_up() {
    mkdir -p "$UP"
    chmod 700 "$UP"
    exec 9>>"$UP/lock"
    flock -w 300 9 || die "another command has been starting or stopping it for five minutes"
}

# --- keys -------------------------------------------------------------------------------------------

# once FILE COMMAND…: what the command prints, kept in a file that nobody else can read; made once, and whole or not at all.
once() {
    local file=$1
    shift
    [[ -s $file ]] && return
    (umask 077 && "$@" >"$file.new" && mv "$file.new" "$file")
}
master_key() { head -c 32 /dev/urandom | base64 -w 0; }
token() { head -c 32 /dev/urandom | od -An -v -tx1 | tr -d ' \n'; }

# --- the programs -----------------------------------------------------------------------------------

# The pid of a program that we started, if it runs. A pid file may be left over, and its number be another process by now.
pid_of() {
    local pid
    pid=$(cat "$UP/$1.pid" 2>/dev/null) || return 1
    [[ $pid =~ ^[0-9]+$ ]] && alive "$pid" && [[ $(program "$pid") == "$1" ]] && echo "$pid"
}

# is_ready NAME: whether it runs and says so.
is_ready() {
    local line
    pid_of "$1" >/dev/null || return 1
    # shellcheck disable=SC2016 # expanded by the inner shell
    line=$(timeout 5 bash -c 'exec 3<>"/dev/tcp/127.0.0.1/$1" &&
        printf "GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n" >&3 && head -n 1 <&3' - "$(port_of "$1")" 2>/dev/null) || return 1
    [[ $line == *' 200 '* ]]
}

# start NAME: unless it runs.
start() {
    local name=$1 log deadline=$((SECONDS + READY_WITHIN))
    log=$(log_of "$name")
    if pid_of "$name" >/dev/null; then
        if [[ $(readlink "/proc/$(pid_of "$name")/exe") == *' (deleted)' ]]; then
            say "$name runs, of an earlier build; make down first to run this one"
        fi
    else
        if [[ $(stat -c %s "$log" 2>/dev/null || echo 0) -gt 10000000 ]]; then rm "$log"; fi
        spawn "$name" "$log"
    fi
    until is_ready "$name"; do
        if ! pid_of "$name" >/dev/null || ((SECONDS >= deadline)); then
            say "--- the last lines of $log"
            tail -n 15 "$log" >&2
            die "$name has not become ready: mend what its log names, and call make down and make up again"
        fi
        sleep 0.2
    done
}

# How soon failures are tried again in a booking day: what fails for good has done so within a minute.
DEMO_SCHEDULE=5s,10s,20s

# What the caller's shell has set may be about another broker or another file of endpoints: only what is said here counts, and
# what else there is to try (HOOKLINE_RETRY_SCHEDULE …).
spawn() {
    local name=$1 log=$2 variable
    (
        close_inherited_fds
        for variable in ENDPOINTS_FILE AMQP_URL_FILE DATABASE_URL_FILE MASTER_KEY ADMIN_TOKEN MANAGEMENT_URL_FILE; do
            unset "HOOKLINE_$variable"
        done
        export HOOKLINE_MASTER_KEY_FILE=$UP/master-key HOOKLINE_ADMIN_TOKEN_FILE=$UP/admin-token
        HOOKLINE_HTTP_ADDR=127.0.0.1:$(port_of "$name")
        # Receivers on this machine are what one tries it with.
        export HOOKLINE_HTTP_ADDR HOOKLINE_ALLOW_HTTP=true HOOKLINE_ALLOW_CIDRS=127.0.0.0/8 HOOKLINE_LOG_FORMAT=text
        if [[ $name == "$DAY" ]]; then
            HOOKLINE_API_URL=http://127.0.0.1:$(port_of hookline-console)
            export HOOKLINE_API_URL HOOKLINE_API_TOKEN_FILE=$UP/admin-token
        fi
        exec setsid "$(folder)/$name"
    ) </dev/null >>"$log" 2>&1 &
    echo "$!" >"$UP/$name.pid"
    # Until it has become that program: its pid is taken for it by its name.
    while alive "$!" && [[ $(program "$!") != "$name" ]]; do sleep 0.02; done
}

folder() { echo "${CARGO_TARGET_DIR:-$ROOT/target}/$(if [[ -n ${RELEASE:-} ]]; then echo release; else echo debug; fi)"; }

# --- commands ---------------------------------------------------------------------------------------

cmd_up() {
    local environment
    lock_up
    scripts/build.sh up
    # Those that a command started for itself would be stopped with it: from now on they are ours.
    if [[ -e $STATE/for-command ]] || ! scripts/services.sh status >/dev/null; then : >"$UP/services"; fi
    scripts/services.sh up
    environment=$(scripts/services.sh env)
    eval "$environment"
    once "$UP/master-key" master_key
    once "$UP/admin-token" token
    if [[ -n ${DEMO:-} ]]; then
        if pid_of hookline-dispatcher >/dev/null && ! pid_of "$DAY" >/dev/null; then
            say "the dispatcher runs already and keeps its retry schedule; make down first to see failures within a minute"
        fi
        export HOOKLINE_RETRY_SCHEDULE=${HOOKLINE_RETRY_SCHEDULE:-$DEMO_SCHEDULE}
    fi
    # The console first: it makes the tables that the dispatcher reads.
    start hookline-console
    start hookline-dispatcher
    if [[ -n ${DEMO:-} ]]; then start "$DAY"; fi
    tell
}

# A link that signs the operator in, once.
sign_in_link() {
    env -u HOOKLINE_DATABASE_URL_FILE HOOKLINE_PUBLIC_URL="http://127.0.0.1:$(port_of hookline-console)" \
        "$(folder)/hookline-console" sign-in-link
}

tell() {
    local day=
    if [[ -n ${DEMO:-} ]]; then
        day="
A small booking day goes on: three companies, whose receivers are well, slow, limited or broken. Failures are tried again after
$HOOKLINE_RETRY_SCHEDULE here.
"
    fi
    cat <<END

Hookline runs, and stays running until make down.
$day
  dashboard   $(sign_in_link)
              (signs you in once and within 15 minutes; make up prints another one)
  console     http://127.0.0.1:$(port_of hookline-console)  (GET /openapi.json describes the API)
  dispatcher  http://127.0.0.1:$(port_of hookline-dispatcher)/metrics
  logs        .local/up/console.log, .local/up/dispatcher.log

To sign in as the operator, in a shell here:

  export HOOKLINE_API_URL=http://127.0.0.1:$(port_of hookline-console)
  export HOOKLINE_API_TOKEN_FILE=$(printf %q "$UP/admin-token")
  export PATH=$(printf %q "$(folder)"):"\$PATH" && eval "\$(make env)"

To try it (plain http and this machine's own addresses are allowed here):

  hookline listen --port 9000 &
  hookline endpoints add --company acme --url http://127.0.0.1:9000/hooks
  hookline publish --company acme --sample booking.created
END
}

cmd_down() {
    local name pid pids=()
    lock_up
    for name in "$DAY" "${PROGRAMS[@]}"; do
        if pid=$(pid_of "$name"); then
            kill -TERM "$pid"
            pids+=("$pid")
        fi
    done
    if ! wait_gone "$STOPPED_WITHIN" "${pids[@]}"; then
        say "it has not stopped within $STOPPED_WITHIN s: ending it"
        kill -KILL "${pids[@]}" 2>/dev/null || true
        wait_gone 10 "${pids[@]}" || die "it survived SIGKILL"
    fi
    for name in "$DAY" "${PROGRAMS[@]}"; do rm -f "$UP/$name.pid"; done
    if ((${#pids[@]})); then say "console and dispatcher are stopped"; else say "neither console nor dispatcher was running"; fi
    if [[ -e $UP/services ]]; then
        # What the database holds cannot be read without the keys, which go as well.
        if [[ ${1:-} == --wipe ]]; then scripts/services.sh down --wipe; else scripts/services.sh down; fi
        rm -f "$UP/services"
    elif [[ ${1:-} == --wipe ]]; then
        say "the services were there before and stay, with their data; scripts/services.sh down --wipe deletes that"
    fi
    if [[ ${1:-} == --wipe ]]; then rm -rf "$UP"; fi
}

cmd_status() {
    local name count=0
    for name in "${PROGRAMS[@]}"; do
        if is_ready "$name"; then
            echo "$name runs on 127.0.0.1:$(port_of "$name") (process $(pid_of "$name"))"
            count=$((count + 1))
        else
            echo "$name does not run"
        fi
    done
    ((count == ${#PROGRAMS[@]}))
}

case "$*" in
    up) cmd_up ;;
    down | 'down --wipe') cmd_down "${2:-}" ;;
    status) cmd_status ;;
    *) sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2 && exit 2 ;;
esac
