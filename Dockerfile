# The petrel binary in a small image: built with bun, run without it, not as root.
FROM oven/bun:1.4.5-slim AS build
WORKDIR /petrel
COPY package.json bun.lock bunfig.toml ./
RUN bun install --frozen-lockfile --production
COPY . .
RUN bun deploy/binary.ts

FROM debian:12.12-slim
RUN apt-get update \
 && apt-get install --yes --no-install-recommends ca-certificates \
 && rm -rf /var/lib/apt/lists/* \
 && useradd --system --uid 10001 --no-create-home --shell /usr/sbin/nologin petrel \
 && install -d -o petrel /var/lib/petrel
COPY --from=build /petrel/dist/petrel /usr/local/bin/petrel
USER 10001
HEALTHCHECK --interval=30s --timeout=10s --start-period=10s --retries=3 CMD ["petrel", "doctor"]
ENTRYPOINT ["petrel"]
CMD ["up"]
