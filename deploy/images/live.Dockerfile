# Every process of the live path, and all commands but those of the night: gateway, worker, archiver, privacy worker, run.
#   docker build -f deploy/images/live.Dockerfile -t hotbasket-live:0.1.0 .
# A pinned tag names the same Python; for the same bytes, add the digest that your registry shows for it.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN deploy/images/install.sh requirements-live.lock /opt/hotbasket

FROM python:3.11.14-slim-bookworm
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/hotbasket --shell /usr/sbin/nologin hotbasket \
    && install -d -o hotbasket -g hotbasket /var/lib/hotbasket
COPY --from=build /opt/hotbasket /opt/hotbasket
ENV PATH=/opt/hotbasket/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOTBASKET_METRICS_HOST=0.0.0.0
USER 10001:10001
WORKDIR /var/lib/hotbasket
# 8080: events and streams of a gateway. 9464: metrics; workers of one container take the next numbers too.
EXPOSE 8080 9464
STOPSIGNAL SIGTERM
# Each process serves its metrics while it lives; whoever orchestrates gateways asks them for /health/ready instead.
HEALTHCHECK --interval=10s --timeout=5s --start-period=30s \
    CMD ["python", "-c", "import urllib.request as u; u.urlopen('http://127.0.0.1:9464/metrics', timeout=4)"]
ENTRYPOINT ["hotbasket"]
CMD ["--help"]
