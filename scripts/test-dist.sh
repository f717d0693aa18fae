#!/usr/bin/env bash
# test-dist.sh: installs the .deb of `make dist` in a bare Debian and proves that it works there. `make dist` first, or it makes it.
#
# QUICK=1 takes the debug build, packed the same way.
# The bare root is debootstrap's smallest, kept in .local/ for the next time. In it: `hookline --version`, the manual, the
# completions, who owns what; a dispatcher as its unit has it, as far as that goes without systemd as the first process
# (its user, no capability, no new privileges, a read-only root, its environment file, its limit of files), to which an event is
# published that a receiver gets; a console as its own unit has it, through which an endpoint is registered; an upgrade, a
# removal, a purge. The units themselves are judged by systemd-analyze.
# As root only: elsewhere, and for what this machine lacks, it says NOT RUN and why.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

SUITE=${SUITE:-bookworm}
WORK=$STATE/test-dist
# shellcheck source=scripts/test-lib.sh
source "$ROOT/scripts/test-lib.sh"
INSIDE=$WORK/root
DIST=$ROOT/target/dist${QUICK:+-quick}
UNITS=(hookline-dispatcher.service hookline-console.service)
# The one that is looked at.
UNIT=${UNITS[0]}
trace=()

# --- the root -----------------------------------------------------------------------------------------

bare_root() {
    local bare
    bare=$(scripts/bare-debian.sh "$SUITE") || return 1
    mkdir -p "$INSIDE"
    tar -C "$INSIDE" -xpf "$bare"
}

# In a mount namespace of its own, so that nothing stays mounted whatever happens.
inside() {
    # shellcheck disable=SC2016 # expanded by the inner shell
    DEBIAN_FRONTEND=noninteractive LC_ALL=C.UTF-8 unshare --mount --propagation private bash -c '
        mount -t proc proc "$0/proc" && mount --rbind /dev "$0/dev" && exec chroot "$0" "$@"' "$INSIDE" "$@"
}

# --- the unit -----------------------------------------------------------------------------------------

# values KEY: what the unit as installed says, word by word.
values() { sed -n "s/^$1=//p" "$INSIDE/usr/lib/systemd/system/$UNIT" | tr ' ' '\n'; }

# As many as the unit says, or as this machine lets anybody have.
open_files() {
    local wanted hard
    wanted=$(values LimitNOFILE) hard=$(ulimit -Hn)
    if [[ $hard != unlimited ]] && ((hard < wanted)); then echo "$hard"; else echo "$wanted"; fi
}

# as_the_unit COMMAND…: in the root, with the user, the rights and the environment of the unit. System calls are not filtered, as
# that takes systemd; which ones are used is looked at below.
as_the_unit() {
    local environment=() line
    while IFS= read -r line; do environment+=("$line"); done < <(values Environment)
    while IFS= read -r line; do
        if [[ $line =~ ^[A-Z_]+= ]]; then environment+=("$line"); fi
    done <"$INSIDE$(values EnvironmentFile | sed 's/^-//')"
    # shellcheck disable=SC2016 # expanded by the inner shell
    exec "${trace[@]}" unshare --mount --ipc --propagation private bash -euc '
        root=$0 limit=$1 user=$2 group=$3
        shift 3
        mount --bind "$root" "$root"
        mount -t proc -o hidepid=2 proc "$root/proc"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for node in null zero full random urandom; do
            touch "$root/dev/$node"
            mount --bind "/dev/$node" "$root/dev/$node"
        done
        mount -t tmpfs tmpfs "$root/tmp"
        mount -t tmpfs tmpfs "$root/var/tmp"
        mount -t tmpfs -o mode=000 tmpfs "$root/home"
        mount -o remount,bind,ro "$root"
        exec prlimit --nofile="$limit" --core=0 chroot "$root" \
            setpriv --reuid "$user" --regid "$group" --clear-groups --no-new-privs --inh-caps=-all --bounding-set=-all \
            env -i PATH=/usr/bin:/bin "$@"
    ' "$INSIDE" "$(open_files)" "$(values User)" "$(values Group)" "${environment[@]}" "$@"
}

# expand GROUP…: the system calls of a filter, one a line.
expand() {
    local group line
    for group in "$@"; do
        systemd-analyze syscall-filter "$group" </dev/null | sed -n 's/^    \([@a-z0-9_-]*\)$/\1/p' | while read -r line; do
            if [[ $line == @* ]]; then expand "$line"; else echo "$line"; fi
        done
    done
}

# The system calls that a trace has, and the filter of the unit lacks.
refused_calls() {
    local words allowed=() denied=()
    mapfile -t words < <(sed -n 's/^SystemCallFilter=//p' "$INSIDE/usr/lib/systemd/system/$UNIT" | tr ' ' '\n')
    local is_denied=no word
    for word in "${words[@]}"; do
        case $word in
            '~'*) denied+=("${word#'~'}") is_denied=yes ;;
            *) if [[ $is_denied == yes ]]; then denied+=("$word"); else allowed+=("$word"); fi ;;
        esac
    done
    # What was called before it was the service set the rights up.
    comm -23 <(sed '1,/execve("[^"]*'"${UNIT%.service}"'"/d' "$1" | sed -n 's/^[0-9]* *\([a-z0-9_]*\)(.*/\1/p' | sort -u) \
        <(comm -23 <(expand "${allowed[@]}" | sort -u) <(expand "${denied[@]}" | sort -u))
}

judge_units() {
    local unit
    if ! command -v systemd-analyze >/dev/null; then
        not_run 'the units, judged by systemd' 'there is no systemd-analyze here'
        return
    fi
    # The bare root has no systemd: what its units are checked against is this machine's.
    mkdir -p "$WORK/units"
    for unit in "${UNITS[@]}"; do
        sed "s,^ExecStart=/,ExecStart=$INSIDE/,; /^Documentation=/d" "$INSIDE/usr/lib/systemd/system/$unit" >"$WORK/units/$unit"
        ok "systemd-analyze verify has nothing to say of $unit" quiet systemd-analyze verify "$WORK/units/$unit"
        ok 'systemd-analyze security: exposed by 2.0 of 10 at most' \
            systemd-analyze security --offline=true --threshold=20 "$WORK/units/$unit"
        systemd-analyze security --offline=true "$WORK/units/$unit" 2>/dev/null | sed -n 's/^→ */         /p'
    done
}

# Succeeds if the command does, and prints nothing.
quiet() {
    local printed
    printed=$("$@" 2>&1) && [[ -z $printed ]] || { printf '%s\n' "$printed" && return 1; }
}

# --- what is installed --------------------------------------------------------------------------------

install_package() {
    local deb
    deb=$(compgen -G "$DIST/*.deb")
    cp "$deb" "$INSIDE/tmp/hookline.deb"
    # apt brings what it depends on; the lists are this day's.
    inside apt-get -q update
    inside apt-get -q install -y --no-install-recommends /tmp/hookline.deb
}

owned() { [[ $(inside stat -c '%U:%G %a' "$2") == "$1" ]]; }

check_installed() {
    ok 'hookline --version, and that of the services' inside sh -ec '
        hookline --version; hookline-dispatcher --version; hookline-console --version'
    ok 'the configuration is for root and the group alone' owned 'root:hookline 750' /etc/hookline
    ok 'so are its files' owned 'root:hookline 640' /etc/hookline/dispatcher.env
    ok 'both of them' owned 'root:hookline 640' /etc/hookline/console.env
    ok 'a page for each command, and for the service' inside sh -ec '
        cd /usr/share/man/; test -s man1/hookline.1.gz -a -s man1/hookline-dlq-retry.1.gz -a \
            -s man8/hookline-dispatcher.8.gz -a -s man8/hookline-console.8.gz'
    if command -v man >/dev/null; then
        # shellcheck disable=SC2016 # expanded by the inner shell
        ok 'man reads every page without a warning' quiet env LC_ALL=C.UTF-8 MANROFFSEQ= bash -c '
            for page; do man --warnings -E UTF-8 -l -Tutf8 -Z "$page" 2>&1 >/dev/null; done' - "$INSIDE"/usr/share/man/man?/hookline*
    else
        not_run 'the manual' 'there is no man here'
    fi
    ok 'completions are there for bash, zsh and fish' inside sh -ec '
        test -s /usr/share/bash-completion/completions/hookline -a -s /usr/share/zsh/vendor-completions/_hookline \
            -a -s /usr/share/fish/vendor_completions.d/hookline.fish'
    if [[ -n ${QUICK:-} ]]; then
        not_run 'the programs tell nothing of who built them' 'a debug build does'
        not_run 'nor when' 'a debug build does'
    else
        ok 'the programs tell nothing of who built them' not grep -qaF -e "$ROOT" -e "${CARGO_HOME:-$HOME/.cargo}/registry" \
            "$INSIDE/usr/bin/hookline" "$INSIDE/usr/bin/hookline-dispatcher" "$INSIDE/usr/bin/hookline-console"
        # As C programs have the time of their compilation.
        ok 'nor when' not env LC_ALL=C grep -qaP '\x00(?!00:00:00)\d\d:\d\d:\d\d\x00' \
            "$INSIDE/usr/bin/hookline" "$INSIDE/usr/bin/hookline-dispatcher" "$INSIDE/usr/bin/hookline-console"
    fi
    ok 'a dispatcher without endpoints ends with 2 and says so' without_endpoints
}

without_endpoints() {
    local status=0
    (as_the_unit hookline-dispatcher) >"$WORK/refused.out" 2>&1 || status=$?
    cat "$WORK/refused.out"
    ((status == 2)) && grep -q 'endpoints' "$WORK/refused.out"
}

# --- an event -----------------------------------------------------------------------------------------

# start_service NAME: as its unit would. Its pid is in $service, what it says in NAME.out, its system calls in NAME.trace.
start_service() {
    UNIT=hookline-$1.service trace=()
    # As a grandchild, so that the pid is the service's.
    if command -v strace >/dev/null; then trace=(strace -D -f -qq -e signal=none -o "$WORK/$1.trace"); fi
    (as_the_unit "hookline-$1") >"$WORK/$1.out" 2>&1 &
    service=$!
    children+=("$service")
}

deliver() {
    start_receiver "$INSIDE/etc/hookline/endpoints.toml" inside hookline || return 1
    free_port
    cat >>"$INSIDE/etc/hookline/dispatcher.env" <<END
HOOKLINE_AMQP_URL=$HOOKLINE_AMQP_URL
HOOKLINE_NAMESPACE=dist
HOOKLINE_ALLOW_HTTP=true
HOOKLINE_ALLOW_CIDRS=127.0.0.0/8
HOOKLINE_HTTP_ADDR=127.0.0.1:$http
END
    start_service dispatcher
    is_consuming && arrives inside env HOOKLINE_AMQP_URL="$HOOKLINE_AMQP_URL" HOOKLINE_NAMESPACE=dist hookline
}

# uid, capabilities, no new privileges, files: as the kernel has them for the running process.
confined() {
    local status uid
    status=$(cat "/proc/$service/status")
    uid=$(inside id -u hookline)
    printf '%s\n' "$status"
    grep -q "^Uid:.*$uid.*$uid" <<<"$status" && not grep -qE '^Cap(Inh|Prm|Eff|Bnd|Amb):.*[1-9a-f]' <<<"$status" &&
        grep -q '^NoNewPrivs:.*1' <<<"$status" && grep -qE "^Max open files +$(open_files) " "/proc/$service/limits" &&
        not touch "/proc/$service/root/etc/x"
}

reloads() {
    sed -i 's/^events = .*//; $a events = ["booking.*"]' "$INSIDE/etc/hookline/endpoints.toml"
    kill -HUP "$service"
    until_true 30 loaded_twice || return 1
}

loaded_twice() { (($(grep -c 'endpoints loaded' "$WORK/dispatcher.out") == 2)); }

stops() {
    local status=0
    kill -TERM "$service"
    wait "$service" || status=$?
    ((status == 0))
}

no_call_refused() {
    local refused calls=$WORK/$1.trace
    until_true 20 grep -q 'exit_group(' "$calls" || return 1
    grep -q "execve(\"[^\"]*hookline-$1\"" "$calls"
    refused=$(refused_calls "$calls")
    [[ -z $refused ]] || { printf 'not in the filter: %s\n' "$refused" && return 1; }
}

# What a console needs to know, in files that only it can read, as its environment file advises.
register() {
    local answer
    free_port
    secret_file database-url "$(scripts/services.sh database dist)"
    secret_file master-key "$(head -c 32 /dev/urandom | base64)"
    secret_file admin-token "$(head -c 32 /dev/urandom | base64 | tr -d '+/=')"
    cat >>"$INSIDE/etc/hookline/console.env" <<END
HOOKLINE_DATABASE_URL_FILE=/etc/hookline/database-url
HOOKLINE_MASTER_KEY_FILE=/etc/hookline/master-key
HOOKLINE_ADMIN_TOKEN_FILE=/etc/hookline/admin-token
HOOKLINE_AMQP_URL=$HOOKLINE_AMQP_URL
HOOKLINE_NAMESPACE=dist
HOOKLINE_HTTP_ADDR=127.0.0.1:$http
END
    start_service console
    until_true 60 ready "$http" || return 1
    answer=$(inside env HOOKLINE_API_URL="http://127.0.0.1:$http" HOOKLINE_API_TOKEN_FILE=/etc/hookline/admin-token \
        hookline endpoints add --company acme --url https://crm.example.com/hooks 2>&1)
    echo "$answer"
    [[ $answer == *whsec_* ]]
}

secret_file() {
    printf '%s\n' "$2" >"$INSIDE/etc/hookline/$1"
    inside chown root:hookline "/etc/hookline/$1"
    inside chmod 640 "/etc/hookline/$1"
}

ready() { curl -fsS "http://127.0.0.1:$1/readyz"; }

with_database() {
    ok 'an endpoint is registered through a console confined like its unit' register
    ok 'and the kernel says that it is' confined
    ok 'SIGTERM ends it with 0' stops
    calls console
    # What a person has made there is not the package's to remove.
    rm "$INSIDE"/etc/hookline/{database-url,master-key,admin-token}
}

calls() {
    if ! command -v strace >/dev/null; then
        not_run "the system calls of the $1, against the filter" 'there is no strace here'
    elif ! command -v systemd-analyze >/dev/null; then
        not_run "the system calls of the $1, against the filter" 'there is no systemd-analyze here'
    else
        ok 'its system calls are those that the unit lets through' no_call_refused "$1"
    fi
}

with_broker() {
    ok 'an event is delivered, signed, by a dispatcher confined like its unit' deliver
    ok 'and the kernel says that it is' confined
    ok 'SIGHUP reads its files' reloads
    ok 'SIGTERM ends it with 0' stops
    calls dispatcher
}

# --- its end ------------------------------------------------------------------------------------------

check_removal() {
    ok 'what was configured survives an installation over it' inside sh -ec '
        dpkg -i /tmp/hookline.deb && grep -q "^HOOKLINE_NAMESPACE=dist" /etc/hookline/dispatcher.env'
    ok 'still for the group alone' owned 'root:hookline 640' /etc/hookline/dispatcher.env
    ok 'a removal keeps the configuration' inside sh -ec 'dpkg -r hookline && test -e /etc/hookline/endpoints.toml -a ! -e /usr/bin/hookline'
    ok 'a purge leaves nothing' inside sh -ec '
        dpkg -P hookline
        test ! -e /etc/hookline -a ! -e /usr/share/doc/hookline
        ! getent passwd hookline && ! getent group hookline && ! find / -xdev -name "*hookline*" ! -path "/tmp/*" ! -path "/var/log/*" | grep .'
}

# --- the order ----------------------------------------------------------------------------------------

if ! is_root; then
    not_run 'the installation in a bare root' 'that takes root'
    exit 0
fi
if [[ ${1:-} != --services-are-up ]]; then
    if [[ -n ${QUICK:-} ]] || ! compgen -G "$DIST/*.deb" >/dev/null; then scripts/dist.sh; fi
    compgen -G "$DIST/*.deb" >/dev/null || { not_run 'everything' 'there is no dpkg-deb to make a .deb' && exit 0; }
    exec scripts/with-services.sh "$0" --services-are-up
fi
begin :
if ! bare_root; then
    not_run 'everything' "a bare $SUITE cannot be made (see above)"
    exit 0
fi
ok 'the checksums hold' bash -ec "cd '$DIST' && sha256sum -c SHA256SUMS"
ok 'the package is installed by apt' install_package
check_installed
judge_units
with_broker
with_database
check_removal
sum_up 'a bare Debian'
