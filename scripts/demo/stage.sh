# shellcheck shell=bash
# stage.sh: what the demo needs to tell its story: headings, commands as they are typed with what they print, programs in the
# background, and waiting until something is so. Sourced by demo.sh, never run.

# Nothing that is printed is wider than this, so that it can be read in any terminal and in any log.
COLUMNS_AT_MOST=80
# Far longer than anything here takes on a busy machine; what takes longer is broken.
PATIENCE=90

bold='' plain=''
if [[ -t 1 && -z ${NO_COLOR:-} && ${TERM:-dumb} != dumb ]]; then bold=$'\033[1m' plain=$'\033[0m'; fi

# --- what is told -----------------------------------------------------------------------------------

step_number=0
# step TITLE: what happens now, in one line.
step() {
    step_number=$((step_number + 1))
    printf '\n%s%d. %s%s\n' "$bold" "$step_number" "$*" "$plain"
}

# Prints stdin two columns from the edge. What is too wide goes on in the next line, broken between two columns of a table
# where it can be. Widths are counted in bytes, of which no character has fewer than columns.
shown() {
    awk -v width="$((COLUMNS_AT_MOST - 2))" '
        # The last place to break at within the width: where there are two blanks, else one, else none.
        function place(text, room,    at) {
            for (at = room + 1; at > room / 3; at--) if (substr(text, at, 2) == "  ") return at
            for (at = room + 1; at > room / 3; at--) if (substr(text, at, 1) == " ") return at
            return room + 1
        }
        {
            match($0, /^ */)
            hang = substr($0, 1, RLENGTH > width / 2 ? 0 : RLENGTH) "  "
            text = $0; room = width; lead = ""
            while (length(text) > room) {
                at = place(text, room)
                piece = substr(text, 1, at - 1); sub(/ +$/, "", piece)
                print "  " lead piece
                text = substr(text, at); sub(/^ +/, "", text)
                lead = hang; room = width - length(hang)
            }
            print "  " lead text
        }'
}

# remark WORDS: between the commands, for the reader.
remark() { printf '%s\n' "$*" | shown; }

# typed COMMAND…: as one would type it, continued on the next line where it is too wide.
typed() {
    awk -v width="$COLUMNS_AT_MOST" -v bold="$bold" -v plain="$plain" '
        # The last place to break at that leaves room for the backslash: before an option, else between words.
        function place(text, room,    at) {
            for (at = room - 1; at > 1; at--) if (substr(text, at, 3) == " --") return at
            for (at = room - 1; at > 1; at--) if (substr(text, at, 1) == " ") return at
        }
        {
            line = "  $ "
            while (length(line $0) > width && (at = place($0, width - length(line)))) {
                print bold line substr($0, 1, at) "\\" plain
                $0 = substr($0, at + 1)
                line = "      "
            }
            print bold line $0 plain
        }' <<<"$*"
}

# with_commas NUMBER: 1000 as 1,000.
with_commas() { awk -v n="$1" 'BEGIN { while (n ~ /^[0-9][0-9][0-9][0-9]/) sub(/[0-9][0-9][0-9](,|$)/, ",&", n); print n }'; }

# --- programs ---------------------------------------------------------------------------------------

# What runs for the demo, by its process id; each is ended by that, whatever happens.
declare -A children=()

# background NAME COMMAND…: starts it; what it prints goes to NAME.log, and its process id is in $pid.
background() {
    local log=$1.log
    shift
    "$@" >"$log" 2>&1 &
    pid=$!
    children[$pid]=$1
}

# ended PID: waits until it has ended, and returns how. The shell's own words on those that were killed are nobody's concern.
ended() {
    local status=0
    { wait "$1" || status=$?; } 2>/dev/null
    unset "children[$1]"
    return "$status"
}

# run COMMAND…: shows it as it is typed and what it prints, which is in $output as well. Fails if it does.
# In the background, because a shell that waits for another program in front of it does not hear Ctrl-C.
run() {
    typed "$*"
    quietly "$@"
    if [[ -n $output ]]; then shown <<<"$output"; fi
}

# quietly COMMAND…: the same without showing it.
quietly() {
    local status=0
    background command "$@"
    ended "$pid" || status=$?
    output=$(<command.log)
    ((status == 0)) || die "$* ended with status $status: $output"
}

# run_until TEXT COMMAND…: shows it and what it prints, once that holds this text. A message that another command has just looked
# at may still be on its way back into its queue.
run_until() {
    local text=$1
    shift
    typed "$*"
    until_so "$text from $*" prints "$text" "$@"
    shown <<<"$output"
}

# prints TEXT COMMAND…: whether it succeeds and prints this; what it prints is in $output.
prints() {
    local text=$1 status=0
    shift
    background command "$@"
    ended "$pid" || status=$?
    output=$(<command.log)
    ((status == 0)) && [[ $output == *"$text"* ]]
}

# leave: ends all that was started, politely first.
leave() {
    local status=$? pid
    trap '' INT TERM HUP PIPE
    # Somebody who interrupts it has seen enough.
    exec 3>&2 2>/dev/null
    if ((${#children[@]})); then
        kill "${!children[@]}"
        wait_gone 10 "${!children[@]}" || kill -KILL "${!children[@]}"
        for pid in "${!children[@]}"; do wait "$pid"; done
    fi
    if ((status != 0 && status < 128)); then
        # shellcheck disable=SC2154 # the folder in which the demo runs
        { echo "the demo failed; the last lines of each program:" && tail -n 15 "$files"/*.log; } >&3
    fi
    cd / && rm -rf "$files"
    exit "$status"
}

# --- waiting ----------------------------------------------------------------------------------------

# until_so WHAT COMMAND…: looks until the command succeeds.
until_so() {
    local deadline=$((SECONDS + PATIENCE)) what=$1
    shift
    until "$@" >/dev/null 2>&1; do
        if ((SECONDS >= deadline)); then
            # Its last words say why, where it is a program that is waited for.
            tail -n 3 "$what.log" >&2 2>/dev/null || true
            die "waited $PATIENCE s for $what"
        fi
        sleep 0.05
    done
}

# has NAME TEXT: whether a program has printed it.
has() { grep -qF -- "$2" "$1.log"; }

# lines_with NAME TEXT COUNT: whether it has printed as many lines with it.
lines_with() { (($(grep -cF -- "$2" "$1.log") >= $3)); }

# --- receivers --------------------------------------------------------------------------------------

# requests NAME [ID]: when each request came and its event's id, in that order.
requests() { awk -v id="${2:-}" '$2 == "POST" && (id == "" || $5 == id) { print $1, $5 }' "$1.log"; }

# received NAME ID: whether its request is there to the last line, which is blank.
received() { [[ -n $(request "$@") ]]; }

# request NAME ID [LINES]: the last request of this event, or its first lines.
request() {
    awk -v id="$2" -v most="${3:-1000}" '
        $2 == "POST" { within = $5 == id; text = ""; lines = 0 }
        within && $0 == "" { whole = text; within = 0 }
        within && ++lines <= most { text = text $0 "\n" }
        within && lines == most + 1 { text = text "  …\n" }
        END { printf "%s", whole }' "$1.log"
}

# event_of NAME TYPE BOOKING: the id of the event by which a receiver was told so of a booking.
event_of() {
    awk -v type="$2" -v booking="\"id\": \"$3\"" '
        $2 == "POST" { event = $4 == type ? $5 : "" }
        event != "" && index($0, booking) { print event; exit }' "$1.log"
}

# bookings NAME KIND: the id of the booking of each request that is about one of this kind.
bookings() {
    awk -v kind="\"eventTypeId\": \"$2\"" '
        match($0, /"id": "bkg_[^"]*"/) { id = substr($0, RSTART + 7, RLENGTH - 8) }
        index($0, kind) { print id }' "$1.log"
}

# compared CONFIRMED ARRIVED: two files with an id a line, the second with an id for each time that it came. Prints how many of
# the confirmed arrived, arrived twice, and more often; how many never did; and how many arrived that nobody confirmed.
compared() {
    sort "$2" | uniq -c | awk '
        NR == FNR { confirmed[$1]; all++; next }
        !($2 in confirmed) { foreign++; next }
        { delivered++ } $1 == 2 { twice++ } $1 > 2 { more++ }
        END { print delivered + 0, twice + 0, more + 0, all - delivered, foreign + 0 }' "$1" -
}

# milliseconds TIME: since the epoch.
milliseconds() { date -d "$1" +%s%3N; }

# dead_letter ID: whether the event is among the dead letters of globex that the console has filed.
dead_letter() { hookline failed list --company globex --json | grep -qF "\"event\":\"$1\""; }

# no_dead_letter ID: whether they can be listed, and it is not among them.
no_dead_letter() {
    local letters
    letters=$(hookline failed list --company globex --json) && ! grep -qF "\"event\":\"$1\"" <<<"$letters"
}
