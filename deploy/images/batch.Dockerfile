# The night, `hotbasket batch …`: Spark and Java 17, none of which the live path needs.
#   docker build -f deploy/images/batch.Dockerfile -t hotbasket-batch:0.1.0 .
# It runs jobs that end, so it has no health check: their exit code and their metrics say how they fared.
FROM python:3.11.14-slim-bookworm AS build
WORKDIR /src
COPY . .
RUN deploy/images/install.sh requirements-batch.lock /opt/hotbasket

FROM python:3.11.14-slim-bookworm
# Debian's own Java of this release; its security updates come with a new build.
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install --yes --no-install-recommends openjdk-17-jre-headless \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --uid 10001 --user-group --no-create-home --home-dir /var/lib/hotbasket --shell /usr/sbin/nologin hotbasket \
    && install -d -o hotbasket -g hotbasket /var/lib/hotbasket
COPY --from=build /opt/hotbasket /opt/hotbasket
ENV PATH=/opt/hotbasket/bin:$PATH \
    PYTHONDONTWRITEBYTECODE=1 \
    HOTBASKET_SPARK_CACHE=/var/lib/hotbasket/spark
USER 10001:10001
# Here deploy/spark/submit.sh is found as in a checkout.
WORKDIR /opt/hotbasket/lib/python3.11/site-packages
HEALTHCHECK NONE
ENTRYPOINT ["hotbasket"]
CMD ["batch", "--help"]
