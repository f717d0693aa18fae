#!/usr/bin/env bash
# test-image.sh: builds the images and runs them: a dispatcher out of its image, as uid 65532 on a root that is read-only, without a
# capability and without a shell, to which an event is published that a receiver gets. Prints how large they are.
#
# QUICK=1 takes the debug build (scripts/image.sh). With Docker or Podman they are run as containers; without, what is in the images is
# run in mount namespaces of its own, as root alone; elsewhere it says NOT RUN and why.
set -euo pipefail
# shellcheck source=scripts/lib.sh
source "$(dirname "$0")/lib.sh"
cd "$ROOT"

WORK=$STATE/test-image
# shellcheck source=scripts/test-lib.sh
source "$ROOT/scripts/test-lib.sh"
USER_ID=65532
# Megabytes that the dispatcher's image may have over what it begins with, which is nothing.
DISPATCHER_MB=60
VERSION=$(scripts/image.sh version)
ENGINE=$(scripts/image.sh engine)
containers=()

remove_containers() {
    local one
    for one in "${containers[@]}"; do
        if [[ $ENGINE == buildah ]]; then
            scripts/image.sh buildah umount "$one" >/dev/null 2>&1 || true
            scripts/image.sh buildah rm "$one" >/dev/null 2>&1 || true
        else
            "$ENGINE" rm -f "$one" >/dev/null 2>&1 || true
        fi
    done
}

# --- what is in an image ------------------------------------------------------------------------------

# unpack IMAGE: its files into $WORK/roots/IMAGE, and its configuration into $WORK/IMAGE.json.
unpack() {
    local container root
    mkdir -p "$WORK/roots/$1"
    if [[ $ENGINE == buildah ]]; then
        container=$(scripts/image.sh buildah from --pull-never "$1:$VERSION")
        containers+=("$container")
        root=$(scripts/image.sh buildah mount "$container")
        tar -C "$root" --one-file-system -cf - . | tar -C "$WORK/roots/$1" -xpf -
        scripts/image.sh buildah inspect --type image "$1:$VERSION" >"$WORK/$1.json"
    else
        container=$("$ENGINE" create "$1:$VERSION")
        containers+=("$container")
        "$ENGINE" export "$container" | tar -C "$WORK/roots/$1" -xpf -
        "$ENGINE" inspect "$1:$VERSION" >"$WORK/$1.json"
    fi
}

# What the image says of its user and of how it is started, whichever engine tells it.
configured() {
    python3 - "$WORK/$1.json" "$2" <<'END'
import json, sys
told = json.load(open(sys.argv[1]))
told = told[0] if isinstance(told, list) else told.get("Docker", told)
config = told.get("Config") or told.get("config")
print(json.dumps(config.get(sys.argv[2]) or ""))
END
}

megabytes() { du -sk --apparent-size "$1" | awk '{ printf "%.1f", $1 / 1024 }'; }

# Nothing in it can be worked with: no shell, no package manager, nothing that belongs to the user, nothing with rights of its own.
holds_one_program() {
    local root=$WORK/roots/$1 programs
    programs=$(find "$root" -xdev -type f -perm /111 ! -name '*.so*' -printf '%P\n' | sort)
    [[ $programs == "usr/bin/$1" ]] || { echo "programs: $programs" && return 1; }
    [[ -z $(find "$root" -xdev \( -perm /6000 -o -uid "$USER_ID" -o -perm -o+w ! -type l \) -print) ]] || { find "$root" -xdev -ls && return 1; }
    grep -q 'BEGIN CERTIFICATE' "$root/etc/ssl/certs/ca-certificates.crt"
}

is_configured() {
    [[ $(configured "$1" User) == '"65532:65532"' && $(configured "$1" Entrypoint) == "[\"$1\"]" ]]
}

is_small() { awk -v size="$(megabytes "$WORK/roots/$1")" -v most="$2" 'BEGIN { exit !(size <= most) }'; }

# --- running it ---------------------------------------------------------------------------------------

# as_container IMAGE NAME=VALUE… -- ARGUMENT…: in place of this shell. Files that it reads stand in $WORK/etc, which is /etc/hookline there.
as_container() {
    local image=$1 environment=() flags=()
    shift
    while [[ $1 != -- ]]; do environment+=("$1") && shift; done
    shift
    if [[ $ENGINE != buildah ]]; then
        for one in "${environment[@]}"; do flags+=(--env "$one"); done
        exec "$ENGINE" run --rm --name "$image-$$" --read-only --cap-drop ALL --security-opt no-new-privileges --network host \
            --volume "$WORK/etc:/etc/hookline:ro" "${flags[@]}" "$image:$VERSION" "$@"
    fi
    # By its path, as the environment of what it starts is the container's.
    # shellcheck disable=SC2016 # expanded by the inner shell
    CHROOT=$(command -v chroot) exec unshare --mount --ipc --propagation private bash -euc '
        root=$0 etc=$1 user=$2 program=$3
        shift 3
        mount --bind "$root" "$root"
        mkdir -p "$root/etc/hookline" "$root/proc" "$root/dev"
        mount --bind "$etc" "$root/etc/hookline"
        mount -t proc proc "$root/proc"
        mount -t tmpfs -o mode=755 tmpfs "$root/dev"
        for node in null urandom; do touch "$root/dev/$node" && mount --bind "/dev/$node" "$root/dev/$node"; done
        cat /etc/resolv.conf >"$root/etc/resolv.conf"
        mount -o remount,bind,ro "$root"
        exec setpriv --no-new-privs env -i "${@:2:$1}" "$CHROOT" --userspec="$user:$user" --groups= "$root" "/usr/bin/$program" "${@:$1 + 2}"
    ' "$WORK/roots/$image" "$WORK/etc" "$USER_ID" "$image" "${#environment[@]}" "${environment[@]}" "$@"
}

# The process that runs a program of ours, below a pid that we started.
process_of() {
    local pid
    for pid in $(ps -o pid= --ppid "$1") "$1"; do
        if [[ $(program "$pid") == "$2" ]]; then echo "$pid" && return; fi
    done
    return 1
}

deliver() {
    start_receiver "$WORK/etc/endpoints.toml" as_container hookline -- || return 1
    free_port
    printf '%s' "$HOOKLINE_AMQP_URL" >"$WORK/etc/amqp-url"
    (as_container hookline-dispatcher HOOKLINE_AMQP_URL_FILE=/etc/hookline/amqp-url HOOKLINE_NAMESPACE=image HOOKLINE_ALLOW_HTTP=true \
        HOOKLINE_ALLOW_CIDRS=127.0.0.0/8 HOOKLINE_HTTP_ADDR="127.0.0.1:$http" HOOKLINE_ENDPOINTS_FILE=/etc/hookline/endpoints.toml --) \
        >"$WORK/dispatcher.out" 2>&1 &
    service=$!
    children+=("$service")
    is_consuming && arrives as_container hookline HOOKLINE_AMQP_URL_FILE=/etc/hookline/amqp-url HOOKLINE_NAMESPACE=image --
}

# As the kernel has it: the user, no capability in force, no new ones, and a root that cannot be written to.
confined() {
    local pid status
    pid=$(process_of "$service" hookline-dispatcher) || { echo "no process" && return 1; }
    status=$(cat "/proc/$pid/status")
    printf '%s\n' "$status"
    grep -q "^Uid:.*$USER_ID.*$USER_ID.*$USER_ID.*$USER_ID" <<<"$status" && grep -q '^NoNewPrivs:.*1' <<<"$status" &&
        not grep -qE '^Cap(Prm|Eff|Amb):.*[1-9a-f]' <<<"$status" &&
        grep -qE ' / [^ ]* ?ro[ ,]' "/proc/$pid/mountinfo" && not touch "/proc/$pid/root/x" && not touch "/proc/$pid/root/etc/x"
}

healthy() { (as_container "hookline-$1" HOOKLINE_HTTP_ADDR="0.0.0.0:$2" -- healthcheck); }

stops() {
    local pid status=0
    pid=$(process_of "$service" hookline-dispatcher)
    kill -TERM "$pid"
    wait "$service" || status=$?
    ((status == 0))
}

# --- the order ----------------------------------------------------------------------------------------

if [[ $ENGINE == buildah ]] && ! is_root; then
    not_run 'the images' 'neither Docker nor Podman answers, and without them that takes root'
    exit 0
fi
if [[ ${1:-} != --services-are-up ]]; then
    scripts/image.sh
    exec scripts/with-services.sh "$0" --services-are-up
fi
begin remove_containers
mkdir -p "$WORK/etc" "$WORK/roots"
chmod 755 "$WORK" "$WORK/etc"
for image in hookline-dispatcher hookline-console hookline; do
    ok "$image: can be looked into" unpack "$image"
    ok "$image: is uid $USER_ID, and starts without a shell" is_configured "$image"
    ok "$image: holds one program, roots to trust, and nothing to work with" holds_one_program "$image"
done
if [[ -n ${QUICK:-} ]]; then
    not_run "the dispatcher's image is $DISPATCHER_MB MB at most" 'a debug build is larger'
else
    ok "the dispatcher's image is $DISPATCHER_MB MB at most" is_small hookline-dispatcher "$DISPATCHER_MB"
fi
ok 'an event is delivered, signed, by a dispatcher out of its image' deliver
ok 'and the kernel says that it is confined' confined
ok 'its healthcheck says that it is alive' healthy dispatcher "$http"
ok 'a healthcheck of what is not there fails' not healthy console 1
ok 'SIGTERM ends it with 0' stops
ok 'and its healthcheck says so' not healthy dispatcher "$http"
for image in hookline-dispatcher hookline-console hookline; do
    printf '  %8s MB  %s (%s of it the program)\n' "$(megabytes "$WORK/roots/$image")" "$image:$VERSION" \
        "$(megabytes "$WORK/roots/$image/usr/bin/$image")"
done
sum_up "$ENGINE"
