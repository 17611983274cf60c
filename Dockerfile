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
WORKDIR /holdup

# No debug information for C, which jemalloc would add with all of its macros.
ENV CFLAGS=-g0

# The dependencies alone: while no manifest changes, this layer is kept. What came of the stubs is
# removed: COPY keeps the sources' dates, which may be older than it, and cargo would take it for up to
# date.
COPY --from=manifests /holdup ./
RUN cargo build --locked --release --bin holdup \
    && cargo clean --locked --release --workspace

# The crates alone, for the same reason: a change of the program itself compiles none of them.
COPY crates crates
RUN cargo build --locked --release --bin holdup \
    && cargo clean --locked --release -p holdup

COPY src src
RUN cargo build --locked --release --bin holdup


FROM debian:bookworm-slim

# Not stripped: the line tables are what makes a backtrace readable.
COPY --from=build /holdup/target/release/holdup /usr/local/bin/

# What `holdup probe` verifies certificates by.
COPY --from=build /etc/ssl/certs/ca-certificates.crt /etc/ssl/certs/

# By number, for those who must know that it is not root without reading /etc/passwd (Kubernetes).
USER 10001:10001

# The lab, and the console.
EXPOSE 8080 8081

# docker stop kills after ten seconds; the streams' own grace, and cutting off what is left, fit into it.
ENV HOLDUP_GRACE=8s

# What stops the lab gently; the program handles it itself, so it needs no init before it.
STOPSIGNAL SIGTERM

ENTRYPOINT ["holdup"]

# Not the program's own default, 127.0.0.1: that is the container's loopback, which nobody outside reaches.
CMD ["serve", "--bind", "0.0.0.0:8080", "--console", "0.0.0.0:8081"]
