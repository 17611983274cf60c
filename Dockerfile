# cargo's profile. `dist` is what is shipped. With `--build-arg PROFILE=release`, a build after a change in src/ takes
# half a minute, and the program uses more CPU for each tick.
ARG PROFILE=dist

# The packages without their code: what the dependencies are built from. cargo refuses a manifest that
# names a bench, example or test without a file, and none of them is built here.
FROM rust:1-bookworm AS manifests
WORKDIR /holdup
COPY Cargo.toml Cargo.lock ./
COPY crates crates
RUN find crates -type f ! -name Cargo.toml -delete \
    && find . -name Cargo.toml -printf '%h\n' | while read -r package; do \
        awk '/^\[/ { drop = /^\[\[(bench|example|test)\]\]/ } !drop' "$package/Cargo.toml" > kept \
        && mv kept "$package/Cargo.toml" \
        && mkdir -p "$package/src" \
        && echo '//! Without its code.' > "$package/src/lib.rs" \
        || exit 1; \
    done \
    && printf '//! Without its code.\nfn main() {}\n' > src/main.rs


FROM rust:1-bookworm AS build
ARG PROFILE
WORKDIR /holdup

# No debug information for C, which jemalloc would add with all of its macros.
ENV CFLAGS=-g0

# The dependencies alone: while no manifest changes, this layer is kept. What was built from the stubs is
# removed. Otherwise cargo could take it for up to date, because COPY keeps the dates of the sources, which may
# be older.
COPY --from=manifests /holdup ./
RUN cargo build --locked --profile "$PROFILE" --features jemalloc --bin holdup \
    && cargo clean --locked --profile "$PROFILE" --workspace

# The crates alone, for the same reason: a change of the program itself compiles none of them.
COPY crates crates
RUN cargo build --locked --profile "$PROFILE" --features jemalloc --bin holdup \
    && cargo clean --locked --profile "$PROFILE" -p holdup

COPY src src
RUN cargo build --locked --profile "$PROFILE" --features jemalloc --bin holdup


FROM debian:bookworm-slim
ARG PROFILE

# Not stripped: the line tables are what makes a backtrace readable.
COPY --from=build /holdup/target/$PROFILE/holdup /usr/local/bin/

# The certificates that `holdup probe` trusts.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/

# A number and not a name, so that Kubernetes knows without /etc/passwd that it is not root.
USER 10001:10001

# The lab, and the console.
EXPOSE 8080 8081

# `docker stop` kills the program after ten seconds. The grace for open streams, and cutting off the rest, fit
# into that time.
ENV HOLDUP_GRACE=8s

# The lab stops gently on this signal. It handles the signal itself, so the container needs no init process.
STOPSIGNAL SIGTERM

ENTRYPOINT ["holdup"]

# The program's default, 127.0.0.1, is the container's own loopback, which nobody outside can reach.
CMD ["serve", "--bind", "0.0.0.0:8080", "--console", "0.0.0.0:8081"]
