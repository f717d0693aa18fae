# shellcheck shell=bash
# The services by Docker Compose: a part of services.sh, which has the record and the ports. Sourced, never run.

COMPOSE_DEADLINE=600 # seconds, as images may have to be pulled

compose() {
    HOOKLINE_AMQP_PORT=$BASE HOOKLINE_MANAGEMENT_PORT=$((BASE + 1)) HOOKLINE_PROMETHEUS_PORT=$((BASE + 2)) \
        HOOKLINE_POSTGRES_PORT=$((BASE + 10)) timeout "$COMPOSE_DEADLINE" \
        docker compose -f "$ROOT/docker-compose.yml" -p "hookline-$(path_hash "$ROOT")" "$@" </dev/null
}

docker_runs() { [[ -n $BASE ]] && docker_usable && compose ps --services --status running 2>/dev/null | grep -x "$1" >/dev/null; }
docker_rabbitmq_answers() { docker_runs rabbitmq && amqp_answers "$BASE"; }
docker_postgresql_answers() { docker_runs postgres; }

docker_sql() {
    compose exec -T -e PGPASSWORD=hookline -e PGOPTIONS="-c client_min_messages=warning" postgres \
        psql -XqtA -v ON_ERROR_STOP=1 -h 127.0.0.1 -U hookline -d hookline -c "$1"
}

# docker_up NAME…
docker_up() {
    native_down # what may be left from another day would hold the ports
    # Containers that exist already keep the ports they were given.
    if [[ $MODE != docker || -z $BASE || -z $(compose ps -q 2>/dev/null) ]]; then
        choose_ports
        unlock_ports # pulling an image takes minutes; should somebody take the ports meanwhile, `up` says so
    fi
    MODE=docker
    write_record
    say "starting with Docker Compose: $(described "$@")"
    if ! compose up -d --wait "${@/postgresql/postgres}" >&2; then
        compose logs --tail 15 >&2 || true
        compose down >&2 || true
        return 1
    fi
}
