# The images of dispatcher, console and command line: `docker build --target dispatcher .`, and console, cli.
# Each holds one program, what it is linked to, and the roots that it trusts: no shell, no package manager, nobody but uid 65532.
# `make image` builds them where no engine and no registry is, too; `make test-image` runs them.

# What dependencies are made of: manifests, and an empty source for each crate. A change of other files leaves it as it is, and with
# it the layer in which dependencies are compiled.
FROM debian:bookworm-slim AS manifests
WORKDIR /src
COPY . .
RUN find . -type f ! -name Cargo.toml ! -name Cargo.lock ! -path '*/src/lib.rs' ! -path '*/src/main.rs' -delete \
    && find . -type d -empty -delete \
    && find . -name lib.rs -exec cp /dev/null {} \; \
    && find . -name main.rs -exec sh -c 'echo "fn main() { }" >"$1"' - {} \;

FROM rust:1.95-slim-bookworm AS build
WORKDIR /src
ENV CARGO_INCREMENTAL=0 \
    RUSTFLAGS="--remap-path-prefix=/src=/hookline --remap-path-prefix=/usr/local/cargo=/cargo" \
    CFLAGS="-ffile-prefix-map=/usr/local/cargo=/cargo"
COPY --from=manifests /src ./
RUN cargo build --locked --release -p hookline-dispatcher -p hookline-console -p hookline-cli
COPY . .
# A source that is older than what was made of its empty stand-in would count as compiled. Those that dependencies have made for
# themselves stand in target/: touched, these would be compiled again.
RUN find . -path ./target -prune -o -name '*.rs' -exec touch {} + \
    && cargo build --locked --release -p hookline-dispatcher -p hookline-console -p hookline-cli \
    && mkdir /out \
    && for program in hookline-dispatcher hookline-console hookline; do strip --strip-all -o "/out/$program" "target/release/$program" || exit 1; done

# What a program of this C library needs of a system.
FROM debian:bookworm-slim AS system
COPY --from=rust:1.95-slim-bookworm /etc/ssl/certs/ca-certificates.crt /rootfs/etc/ssl/certs/ca-certificates.crt
# hadolint ignore=DL4006
RUN for library in $(ldconfig -p | awk '$1 ~ /^(libc\.so\.6|libm\.so\.6|libgcc_s\.so\.1|ld-linux.*)$/ { print $NF }'); do \
        cp -L --parents "$library" /rootfs || exit 1; done \
    && for loader in /lib64/ld-linux*; do if [ -e "$loader" ]; then cp -L --parents "$loader" /rootfs || exit 1; fi; done \
    && echo 'hookline:x:65532:65532:Hookline:/:/nonexistent' >/rootfs/etc/passwd \
    && echo 'hookline:x:65532:' >/rootfs/etc/group \
    && echo 'hosts: files dns' >/rootfs/etc/nsswitch.conf

FROM scratch AS base
COPY --from=system /rootfs/ /
ENV PATH=/usr/bin
USER 65532:65532
LABEL org.opencontainers.image.title="Hookline" \
    org.opencontainers.image.description="Delivers webhooks for booking platforms" \
    org.opencontainers.image.licenses="Apache-2.0"

FROM base AS cli
COPY --from=build /out/hookline /usr/bin/hookline
ENTRYPOINT ["hookline"]

FROM base AS console
COPY --from=build /out/hookline-console /usr/bin/hookline-console
EXPOSE 8080
HEALTHCHECK --interval=10s --timeout=7s --start-period=60s CMD ["hookline-console", "healthcheck"]
ENTRYPOINT ["hookline-console"]

FROM base AS dispatcher
COPY --from=build /out/hookline-dispatcher /usr/bin/hookline-dispatcher
EXPOSE 9464
HEALTHCHECK --interval=10s --timeout=7s --start-period=60s CMD ["hookline-dispatcher", "healthcheck"]
ENTRYPOINT ["hookline-dispatcher"]
