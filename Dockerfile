# The program alone, on a base without a shell, as a user that is not root. Models that run on this machine need a
# system with libraries; this image calls hosts.
FROM golang:1.26 AS build
WORKDIR /src
COPY go.mod go.sum ./
RUN go mod download
COPY . .
RUN CGO_ENABLED=0 go build -trimpath -ldflags="-s -w" -o /plenum ./cmd/plenum && mkdir /data

FROM gcr.io/distroless/static-debian12:nonroot
COPY --from=build /plenum /usr/local/bin/plenum
COPY --from=build --chown=65532:65532 --chmod=0700 /data /var/lib/plenum
USER 65532:65532
EXPOSE 8080
VOLUME /var/lib/plenum
ENTRYPOINT ["/usr/local/bin/plenum"]
CMD ["serve", "--config", "/etc/plenum/plenum.yaml"]
