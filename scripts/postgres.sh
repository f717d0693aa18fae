#!/usr/bin/env bash
# One private PostgreSQL server per folder.
#
#   postgres.sh start  DIR PORT   start it, or do nothing if it runs; returns when the role can log in
#   postgres.sh stop   DIR        fast shutdown, and wait until it is gone
#   postgres.sh kill   DIR        SIGKILL, as a crash would
#   postgres.sh freeze DIR        SIGSTOP to all its processes: it accepts connections, and answers nobody
#   postgres.sh thaw   DIR        lets them go on
#   postgres.sh status DIR        exit 0 if it answers
#   postgres.sh port   DIR        prints the port it was last started on
#   postgres.sh sql    DIR STATEMENT  runs it as the role, and prints the rows
#   postgres.sh init   DIR        only create the data folder, where there is none
#   postgres.sh wipe   DIR        stop it and delete its data
#
# It listens on 127.0.0.1:PORT only (no Unix socket) and has a role and a database `hookline`, password
# `hookline`; the role may create databases. The data stays after `stop` and `kill`.
#
# HOOKLINE_TEST_VOLATILE  set to anything, a server started with it does not wait for the disk: what it has committed outlives its
#                         own end, also by `kill`, and not the machine's
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"

START_DEADLINE=60 # seconds

# --- the installation -------------------------------------------------------------------------------

# The programs of the version that made the data, else the newest at hand.
find_bin() {
    local version='*' dir
    if [[ -s $DIR/version ]]; then version=$(<"$DIR/version"); fi
    # shellcheck disable=SC2231,SC2086 # the star is meant to expand
    dir=$(printf '%s\n' /usr/lib/postgresql/$version/bin | sort -V | tail -n 1)
    [[ -x $dir/initdb && -x $dir/psql ]] && echo "$dir"
}

need_bin() {
    BIN=$(find_bin) && return
    if [[ -s $DIR/version ]]; then
        die "the data in $DIR is of PostgreSQL $(<"$DIR/version"), whose programs are not here. Install postgresql-$(<"$DIR/version"), or delete the data: scripts/postgres.sh wipe $DIR"
    fi
    "$ROOT/scripts/install-packages.sh" postgresql
    BIN=$(find_bin) || die "PostgreSQL is installed, but not under /usr/lib/postgresql"
}

# --- where the data lives, and whose it is ----------------------------------------------------------

# PostgreSQL refuses to run as root. Its data then belongs to a user without rights, and cannot lie in the checkout:
# that may be below a home folder which only root can enter.
locate_data() {
    OWNER=
    FOLDER=$DIR
    if is_root; then
        FOLDER=/var/tmp/hookline-postgres-$(path_hash "$DIR")
        # Existing data keeps its owner, even if the better user has been created since.
        OWNER=$(stat -c %U "$FOLDER" 2>/dev/null) || true
        if [[ $OWNER != postgres && $OWNER != nobody ]]; then
            if id -u postgres >/dev/null 2>&1; then OWNER=postgres; else OWNER=nobody; fi
        fi
    fi
    DATA=$FOLDER/data
}

# Makes FOLDER, or refuses one that somebody else put there: everybody may write to /var/tmp.
make_folder() {
    mkdir -p "$DIR"
    if [[ -z $OWNER ]]; then chmod 700 "$DIR" && return; fi
    if mkdir -m 700 "$FOLDER" 2>/dev/null; then
        chown "$OWNER:" "$FOLDER"
    else
        [[ -d $FOLDER && ! -L $FOLDER && $(stat -c %U "$FOLDER") == "$OWNER" ]] ||
            die "$FOLDER exists and belongs to someone else"
    fi
    echo "$FOLDER" >"$DIR/folder"
}

# exec_as_owner COMMAND…: becomes the command, as the data's owner and with an environment that reaches no other
# server. Call it in a subshell.
exec_as_owner() {
    local drop=()
    if [[ -n $OWNER ]]; then
        drop=(setpriv --reuid "$OWNER" --regid "$(id -g "$OWNER")" --clear-groups)
    fi
    cd "$FOLDER"
    exec env -i PATH="$PATH" HOME="$FOLDER" LANG=C.UTF-8 TZ=UTC "${drop[@]}" "$@"
}
as_owner() { (exec_as_owner "$@"); }

# Creates the data folder where there is none. Made aside and moved into place when it is whole, so that an
# interrupted run leaves no half of one.
create_data() {
    need_bin
    locate_data # once more: the installation brings the user
    make_folder
    if [[ ! -s $DATA/PG_VERSION ]]; then
        local new=$FOLDER/new
        rm -rf "$new" "$DATA"
        if ! {
            # `reject`, as the only way in is the line below; the superuser has no password, so no way at all.
            as_owner "$BIN/initdb" -D "$new" -U postgres -A reject -E UTF8 --locale=C.UTF-8 --no-instructions &&
                echo 'host all all 127.0.0.1/32 scram-sha-256' | as_owner tee "$new/pg_hba.conf" &&
                as_owner "$BIN/postgres" --single -c exit_on_error=on -D "$new" postgres <"$ROOT/scripts/postgres/role.sql" &&
                as_owner mv "$new" "$DATA"
        } >"$DIR/initdb.log" 2>&1; then
            tail -n 15 "$DIR/initdb.log" >&2
            die "could not create a database cluster in $FOLDER"
        fi
    fi
    # Into a file that this user may read, and anew each time: it may be gone while the data is not.
    cp "$DATA/PG_VERSION" "$DIR/version"
    need_bin
}

# --- the server -------------------------------------------------------------------------------------

# The pid of the running server, if any. A pid file may be left over from a crash, and its number be another process by
# now. So it is found by its own command line, which names our data folder as a whole argument.
server_pid() {
    local pid parent
    # grep fails if any process of the machine ends while it looks, which means nothing.
    { grep -lzxF -- "$DATA" /proc/[0-9]*/cmdline 2>/dev/null || true; } | cut -d/ -f3 | while read -r pid; do
        # A child looks like the server for an instant, until it has taken its own name.
        parent=$(sed -n 's/^PPid:[[:space:]]*//p' "/proc/$pid/status" 2>/dev/null) || continue
        if is_postgres "$pid" && ! is_postgres "$parent" && same_machine "$pid"; then echo "$pid"; fi
    done
}
is_postgres() { [[ $(program "$1") == postgres ]] && grep -qzxF -- "$DATA" "/proc/$1/cmdline" 2>/dev/null; }

spawn() {
    (
        close_inherited_fds
        exec_as_owner setsid "$BIN/postgres" -D "$DATA" -p "$PORT" -c listen_addresses=127.0.0.1 \
            -c unix_socket_directories= -c max_connections=300 -c shared_buffers=64MB \
            -c wal_level=minimal -c max_wal_senders=0 -c max_wal_size=256MB -c jit=off \
            ${HOOKLINE_TEST_VOLATILE:+-c fsync=off -c full_page_writes=off} \
            -c log_min_messages=warning -c timezone=UTC
    ) </dev/null >>"$DIR/log" 2>&1 &
    SPAWNED=$!
}

sql() {
    need_bin
    PGCONNECT_TIMEOUT=3 PGPASSWORD=hookline PGOPTIONS="-c client_min_messages=warning" "$BIN/psql" -XqtA -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$PORT" -U hookline \
        -d hookline -c "$1"
}
answers() { [[ $(sql 'select 1' 2>/dev/null) == 1 ]]; }

wait_until_answers() {
    local deadline=$((SECONDS + START_DEADLINE))
    until answers; do
        if ((SECONDS >= deadline)); then
            say "--- the last lines of $DIR/log"
            tail -n 15 "$DIR/log" >&2
            die "PostgreSQL does not answer on 127.0.0.1:$PORT after $START_DEADLINE s"
        fi
        # After a crash the last children of the old server may hold its shared memory for a moment more.
        if [[ -n ${SPAWNED:-} ]] && ! alive "$SPAWNED"; then sleep 1 && spawn; fi
        sleep 0.1
    done
}

# --- commands ---------------------------------------------------------------------------------------

# Start, stop and kill of one folder take turns.
lock_server() {
    mkdir -p "$DIR"
    exec 9>>"$DIR/lock"
    flock -w "$((START_DEADLINE + 60))" 9 || die "another command is busy with $DIR"
}

recorded_port() {
    [[ -s $DIR/port ]] || die "no PostgreSQL has been started in $DIR"
    PORT=$(<"$DIR/port")
}

cmd_init() {
    lock_server
    create_data
}

cmd_start() {
    cmd_init
    if [[ -n $(server_pid) ]]; then
        # Its own record of the port: ours may be gone, or of another day.
        if [[ $(sed -n 4p "$DATA/postmaster.pid") == "$PORT" ]]; then
            echo "$PORT" >"$DIR/port"
            wait_until_answers
            return
        fi
        stop_server
    fi
    ports_free "$PORT" 1 || die "something else listens on port $PORT"
    # PostgreSQL itself copes with a dead pid in there, but not with one that another process has got since.
    rm -f "$DATA/postmaster.pid"
    echo "$PORT" >"$DIR/port"
    if [[ $(stat -c %s "$DIR/log" 2>/dev/null || echo 0) -gt 10000000 ]]; then rm "$DIR/log"; fi
    spawn
    wait_until_answers
}

# signal_all SIGNAL PID: to the server and then to its children, of which there are no new ones by then.
signal_all() {
    local child
    kill -s "$1" "$2"
    # shellcheck disable=SC2013 # words: the pids stand in one line
    for child in $(cat "/proc/$2/task/"*/children 2>/dev/null); do kill -s "$1" "$child" 2>/dev/null || true; done
}

stop_server() {
    local pid signal
    pid=$(server_pid)
    [[ -n $pid ]] || return 0
    signal_all CONT "$pid" 2>/dev/null || true
    # Fast, then immediate shutdown, and at last the way that leaves children to notice by themselves.
    for signal in INT QUIT KILL; do
        if [[ $signal != INT ]]; then say "PostgreSQL (pid $pid) has not stopped: sending SIG$signal"; fi
        kill -s "$signal" "$pid" 2>/dev/null || true
        if wait_gone 20 "$pid"; then return; fi
    done
    die "pid $pid survived SIGKILL"
}

cmd_stop() {
    [[ -d $DIR || -d $DATA ]] || return 0
    lock_server
    stop_server
}

cmd_kill() {
    lock_server
    local pid
    pid=$(server_pid)
    [[ -n $pid ]] || die "no PostgreSQL runs in $DIR"
    kill -KILL "$pid"
    wait_gone 10 "$pid" || die "pid $pid survived SIGKILL"
}

# cmd_signal SIGNAL
cmd_signal() {
    lock_server
    local pid
    pid=$(server_pid)
    [[ -n $pid ]] || die "no PostgreSQL runs in $DIR"
    signal_all "$1" "$pid"
}

cmd_status() {
    [[ -n $(server_pid) ]] || return 1
    recorded_port
    answers
}

cmd_wipe() {
    cmd_stop
    rm -rf "${DIR:?}"
    if [[ -d $FOLDER && ! -L $FOLDER ]]; then rm -rf "$FOLDER"; fi
}

usage() { sed -n '2,/^set /{ /^set /d; s/^# \{0,1\}//; p; }' "$0" >&2; exit 2; }

main() {
    (($# >= 2)) || usage
    local command=$1
    DIR=$(realpath -m -- "$2")
    PORT=${3:-}
    locate_data
    case $command in
        start) [[ $PORT =~ ^[0-9]+$ ]] || usage; cmd_start ;;
        init | stop | kill | status | wipe) "cmd_$command" ;;
        freeze) cmd_signal STOP ;;
        thaw) cmd_signal CONT ;;
        port) recorded_port; echo "$PORT" ;;
        sql) local statement=$PORT; recorded_port; sql "$statement" ;;
        *) usage ;;
    esac
}
main "$@"
