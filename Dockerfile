# Makes the packages on a host that isn't Linux; on Linux ./dev package does. By plain Docker, from 20.10 on:
#
#   docker build -t latch-package .
#   docker run --rm -v "$PWD":/latch latch-package all
#
# They are in build/package, as ./dev package leaves them. What was fetched and built stays in build/: the next run takes seconds for what
# did not change. Its arguments are ./dev package's: x86_64, arm64, all; none: this machine's. Where Docker's files would belong to root,
# add -u "$(id -u):$(id -g)". Another Debian: --build-arg BASE=…, from bookworm on.
ARG BASE=debian:bookworm-slim
FROM ${BASE}
# The tools alone: sources are fetched by the run, through apt's lists, which therefore stay.
COPY tools/deps tools/deps.lock /opt/latch/tools/
RUN /opt/latch/tools/deps package-tools
WORKDIR /latch
ENTRYPOINT ["./dev", "package"]
