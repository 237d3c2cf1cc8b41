# tabfarm with Chrome, as an unprivileged user and with Chrome's sandbox on; the
# sandbox needs deploy/seccomp-chrome.json (see docker-compose.yml). Postgres is
# not in the image: name one with TABFARM_DATABASE_URL.

FROM golang:1.26-bookworm AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
ARG VERSION=
RUN CGO_ENABLED=0 go build -trimpath -buildvcs=false -ldflags "-s -w ${VERSION:+-X main.version=$VERSION}" -o /out/tabfarm ./cmd/tabfarm

FROM debian:bookworm-slim
RUN apt-get update \
 && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates chromium-headless-shell fonts-dejavu-core fonts-liberation tzdata \
 && rm -rf /var/lib/apt/lists/*
RUN useradd --uid 10001 --create-home --shell /usr/sbin/nologin tabfarm \
 && install -d -o tabfarm -g tabfarm /recipes
COPY --from=build /out/tabfarm /usr/local/bin/tabfarm
USER tabfarm
WORKDIR /recipes
# Healthy is: the program runs and its database answers.
HEALTHCHECK --interval=30s --timeout=10s --start-period=30s --retries=3 CMD ["tabfarm", "runs", "--json"]
ENTRYPOINT ["tabfarm"]
