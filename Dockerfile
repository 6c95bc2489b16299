# One image for every process; which one is the command: `mingjing run wall`, `mingjing run worker`, …
# Health is asked for by docker-compose.yml, for each service in its own way; without it there is nothing to ask.

FROM python:3.12.14-slim-bookworm@sha256:392307d22300de8b5986851a12d9176dfc0fc073e65bf6523ebd7dcbeb23564e AS build
ENV PIP_NO_CACHE_DIR=1 PIP_DISABLE_PIP_VERSION_CHECK=1
# Another index, for networks that reach none: --build-arg PIP_INDEX_URL=…
ARG PIP_INDEX_URL
WORKDIR /src
# What changes rarely first: the libraries are built once and kept, whatever changes in our own code.
COPY ops/constraints.txt ops/constraints.txt
RUN python -m venv /opt/mingjing && /opt/mingjing/bin/pip install -r ops/constraints.txt
COPY pyproject.toml README.md LICENSE ./
COPY domain domain
COPY detectors detectors
COPY store store
COPY camera_adapters camera_adapters
COPY streams streams
COPY alerts alerts
COPY dashboard dashboard
COPY mingjing mingjing
RUN /opt/mingjing/bin/pip wheel --no-deps --wheel-dir /tmp/wheel . \
 && /opt/mingjing/bin/pip install --no-deps /tmp/wheel/*.whl \
 && /opt/mingjing/bin/pip check \
 && /opt/mingjing/bin/pip uninstall --yes pip \
 && find /opt/mingjing -type d -name tests -prune -exec rm -rf {} +

FROM python:3.12.14-slim-bookworm@sha256:392307d22300de8b5986851a12d9176dfc0fc073e65bf6523ebd7dcbeb23564e
# An ordinary user with a fixed number, so that files of secrets on the host can be given to it.
RUN useradd --uid 10001 --user-group --no-create-home --home-dir /nonexistent --shell /usr/sbin/nologin mingjing \
 && install -d -o mingjing -g mingjing -m 0700 /data
COPY --from=build /opt/mingjing /opt/mingjing
# Without bytecode being written a read-only container starts as fast; output is seen when it is written.
ENV PATH=/opt/mingjing/bin:$PATH PYTHONDONTWRITEBYTECODE=1 PYTHONUNBUFFERED=1 MINGJING_DATA=/data
USER 10001:10001
WORKDIR /data
VOLUME /data
ENTRYPOINT ["mingjing"]
CMD ["--help"]
